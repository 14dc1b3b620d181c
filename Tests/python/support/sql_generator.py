"""Random SELECT statements over the tables of `sql_data`, in Firn's SQL and in DuckDB's."""

import random
from dataclasses import dataclass

from support.sql_data import LARGE, NAMES, TABLES
from support.sql_duck import Sql, both, joined


@dataclass(frozen=True)
class Query:
    sql: Sql
    # The rows have one order; else any is right.
    ordered: bool = False
    # Rows equal in their first column come in any order, and a limit may cut between them; the second is a key.
    ties: bool = False


def column(name: str, alias: str = "") -> Sql:
    """A column, or a member as `device.os`."""
    prefix = f"{alias}." if alias else ""
    if name.startswith("device."):
        member = name.removeprefix("device.")
        return Sql(f"({prefix}device ->> '{member}')", f"{prefix}device.{member}")
    return Sql(prefix + name, prefix + name)


INTEGERS = ["id", "n", "big", "grown", "late", "blank", "device.version"]
EXACT_SUMS = ["n", "big", "ratio", "grown", "late", "blank", "id", "device.version"]
ROUNDED_SUMS = ["price", "wide"]
TEXTS = ["kind", "name", "device.os"]
COMPARED = ["id", "n", "big", "ratio", "wild", "narrow", "price", "delta", "wide", "debt", "kind", "name", "day", "ts",
            "local", "grown", "late", "blank"]  # fmt: skip
ALL = [*COMPARED, "flag", "device.os", "device.version", "device", "tags"]
MANY_KEYS = ["price", "delta", "wide", "debt", "name", "ts", "local", "ratio", "wild", "narrow", "big", "id"]
KEYS = ["n", "kind", "flag", "day", "late", "device.os", "device.version", "grown", "blank"]
# Compared with each other.
PAIRS = [
    ("n", "late"), ("n", "grown"), ("big", "n"), ("price", "delta"), ("ratio", "wild"), ("kind", "device.os"),
    ("n", "ratio"), ("narrow", "ratio"), ("wide", "wide"), ("id", "big"), ("day", "day"),
]  # fmt: skip
PATTERNS = [
    "a%", "a common%", "%common%", "z%", "Z%", "%a", "_", "__", "d_", "%", "", "100\\%", "ü%", "%_score", "li%",
    "a common beginning, then _", "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ%",
]  # fmt: skip
FRAMES = [
    "", " ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING", " ROWS UNBOUNDED PRECEDING",
    " ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
]  # fmt: skip
TABLE_NAMES = [*TABLES, *TABLES, *TABLES, "void"]


class Generator:
    def __init__(self, seed: str):
        self.dice = random.Random(seed)
        self.choice = self.dice.choice
        self.alias = ""

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def column(self, name: str) -> Sql:
        found = column(name, self.alias)
        return Sql(found.duck, found.duck) if name.startswith("device.") and self.chance(0.5) else found

    def some(self, names: list[str], least: int = 1, most: int = 4) -> list[str]:
        return self.dice.sample(names, self.dice.randint(least, min(most, len(names))))

    def table(self) -> str:
        return self.choice(TABLE_NAMES)

    def source(self, name: str) -> Sql:
        return Sql(f"g.{name} {self.alias}".rstrip(), f"{name} {self.alias}".rstrip())

    # Literals

    def literal(self, name: str) -> Sql:
        dice = self.dice
        match name:
            case "ratio":
                value = self.choice([str(dice.randint(-80, 800) / 8), str(dice.randint(-10, 100)), "12.3"])
            case "wild":
                value = self.choice(
                    ["0", "0.1", "0.3", "1e300", "-1e-300", "-0.5", str(dice.randint(-9999, 9999) / 1000)]
                )
            case "narrow":
                value = self.choice(["0", "0.5", "0.1", "16777216", str(dice.randint(-99, 99) / 4)])
            case "price":
                value = self.choice(["0", "0.05", "19.99", "19.995", str(dice.randrange(10**6) / 100), "-1"])
            case "delta":
                value = self.choice(["0", "-0.001", "0.0005", "-9999.999", str(dice.randint(-5000, 5000) / 1000)])
            case "wide" | "debt":
                value = self.choice(["0", "0.0001", "1", "99999999999999999999.9999", "100000000000000000.00",
                                     "12345678901234567.5", "-0.01", "-100000000000000000", "2.5"])  # fmt: skip
                if len(value) > 15 or self.chance(0.3):
                    return Sql(f"'{value}'", f"CAST('{value}' AS DECIMAL(28,4))")
            case "kind":
                value = "'" + self.choice(["a", "b", "c", "d", "dd", "e", ""]) + "'"
            case "name":
                value = "'" + self.choice(NAMES + ["a common", "zz"]).replace("'", "''") + "'"
            case "device.os":
                value = self.choice(["'linux'", "'mac'", "'beos'"])
            case "day":
                return both("'2026-01-0{}'", dice.randint(1, 7))
            case "ts":
                second = f"0{dice.randint(1, 5)}"
                value = self.choice([f"2026-01-{second}", f"2026-01-{second} 12:00:00", f"2026-01-{second}T06:30:00Z",
                                     f"2026-01-{second}T01:00:00+02:00"])  # fmt: skip
                return Sql(f"'{value}'", f"TIMESTAMPTZ '{value}'")
            case "local":
                value = f"2026-01-0{dice.randint(1, 5)}" + self.choice(["", " 12:00:00", "T23:59:59"])
                return Sql(f"'{value}'", f"TIMESTAMP '{value}'")
            case "big":
                value = str(self.choice([dice.randint(-9, 9), 2**53, 2**53 + 1, dice.randint(-(2**54), 2**54)]))
            case "grown":
                value = str(self.choice([dice.randint(-3, 3), 5_000_000_000, 2**31]))
            case "id":
                value = str(dice.randint(-5, 450))
            case _:
                value = str(dice.randint(-6, 21))
        return Sql(value, value)

    # Conditions

    def atom(self) -> Sql:
        kind = self.dice.randrange(12)
        if kind == 0:
            return self.choice([both("{}", self.column("flag")), both("NOT {}", self.column("flag")),
                                both("{} = TRUE", self.column("flag")),
                                both("{} IS NULL", self.column("flag"))])  # fmt: skip
        if kind == 1:
            return both("{} IS {}NULL", self.column(self.choice(ALL)), self.choice(["", "NOT "]))
        if kind == 2:
            return self.text_atom()
        if kind == 3:
            return self.expression_atom()
        if kind == 4:
            left, right = self.choice(PAIRS)
            operator = self.choice(["=", "<", ">=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"])
            return both("{} {} {}", self.column(left), operator, self.column(right))
        name = self.choice([*COMPARED, *TEXTS, *["n", "day", "ts", "id", "kind", "ratio", "local", "price"] * 3])
        place = self.column(name)
        if kind == 5:
            low, high = self.literal(name), self.literal(name)
            return both("{} {}BETWEEN {} AND {}", place, self.choice(["", "", "NOT "]), low, high)
        if kind == 6:
            members = [self.literal(name) for _ in range(self.dice.randint(1, 5))]
            if self.chance(0.15):
                members.append(Sql("NULL", "NULL"))
            return both("{} {}IN ({})", place, self.choice(["", "", "NOT "]), joined(", ", members))
        operator = self.choice(["<", "<=", ">", ">=", "<>", "=", "<", ">", "IS NOT DISTINCT FROM"])
        if self.chance(0.1):
            return both("{} {} {}", self.literal(name), self.choice(["=", "<", "<=", ">", ">="]), place)
        return both("{} {} {}", place, operator, self.literal(name))

    def text_atom(self) -> Sql:
        place = self.column(self.choice(TEXTS))
        pattern = self.choice(PATTERNS)
        if self.chance(0.2):
            return both("{} GLOB '{}'", place, self.choice(["a*", "[a-c]", "*g*", "?", "a common beginning*"]))
        escape = " ESCAPE '\\'" if "\\" in pattern else ""
        return both("{} {}LIKE '{}'{}", place, self.choice(["", "", "NOT "]), pattern, escape)

    def expression_atom(self) -> Sql:
        n, late = self.column("n"), self.column("late")
        return self.choice([
            both("{} + 1 > {}", n, self.dice.randint(0, 9)), both("{} % 3 = {}", n, self.dice.randint(-2, 2)),
            both("{} * 2 < {}", self.column("ratio"), self.dice.randint(0, 99)),
            Sql(f"{n.firn} / 4 = 2", f"{n.duck} // 4 = 2"), both("abs({}) <= 3", n),
            both("length({}) > {}", self.column("name"), self.dice.randint(0, 20)),
            both("upper({}) = 'A'", self.column("kind")), both("substr({}, 1, 1) = 'a'", self.column("name")),
            both("coalesce({}, {}, 0) >= 3", late, n), both("{} + {} > 9", n, late),
            both("CASE WHEN {} > 5 THEN {} ELSE {} END = 3", n, late, n),
            both("({} IN (1, 2, 3)) = {}", n, self.column("flag")),
            both("nullif({}, 3) IS NULL", n), both("{} || 'x' > 'b'", self.column("kind")),
        ])  # fmt: skip

    def condition(self, depth: int = 2) -> Sql:
        if depth == 0 or self.chance(0.35):
            return self.atom()
        match self.dice.randrange(5):
            case 0:
                return both("NOT ({})", self.condition(depth - 1))
            case 1 | 2:
                parts = [self.condition(depth - 1) for _ in range(2)]
                return both("({} OR {})", *parts)
            case _:
                parts = [self.condition(depth - 1) for _ in range(self.dice.randint(2, 3))]
                return both("({})", joined(" AND ", parts))

    def where(self, share: float = 0.8) -> Sql:
        return both(" WHERE {}", self.condition()) if self.chance(share) else Sql("", "")

    def conjunction(self, share: float = 0.7) -> Sql:
        if not self.chance(share):
            return Sql("", "")
        return both(" WHERE {}", joined(" AND ", [self.atom() for _ in range(self.choice([1, 1, 2, 3]))]))

    # Order

    def order(self, names: list[Sql]) -> Sql:
        parts = []
        for name in names:
            nulls = self.choice(["", "", " NULLS FIRST", " NULLS LAST"])
            parts.append(both("{}{}{}", name, self.choice(["", " ASC", " DESC"]), nulls))
        return both(" ORDER BY {}", joined(", ", parts))

    def limit(self, share: float = 0.6) -> str:
        if not self.chance(share):
            return ""
        return f" LIMIT {self.dice.randint(0, 30)}" + (f" OFFSET {self.dice.randint(0, 9)}" if self.chance(0.3) else "")

    # Aggregates

    def aggregate(self) -> Sql:
        exact, any_sum = self.column(self.choice(EXACT_SUMS)), self.column(self.choice(EXACT_SUMS + ROUNDED_SUMS))
        extreme = self.column(self.choice([*COMPARED, "flag"]))
        counted = self.column(self.choice(ALL[:-2]))
        whole = self.column(self.choice(["device", "tags"]))
        plain = self.choice([
            both("count(*)"), both("count({})", counted), both("count(DISTINCT {})", counted), both("min({})", extreme),
            both("max({})", extreme), both("sum({})", any_sum), both("avg({})", any_sum), both("min({})", extreme),
            both("max({})", extreme), both("sum({})", exact), both("sum(DISTINCT {})", self.column("n")),
            both("count({})", whole),
        ])  # fmt: skip
        if self.chance(0.15):
            return both("{} FILTER (WHERE {})", plain, self.atom())
        if not self.chance(0.3):
            return plain
        n, ratio = self.column("n"), self.column("ratio")
        return self.choice([
            both("sum({}) + count(*)", n), both("max({}) - min({})", n, n), both("coalesce(sum({}), -1)", n),
            Sql(f"sum({n.firn}) / count({n.firn})", f"sum({n.duck}) // count({n.duck})"), both("count(*) * 2 - 1"),
            both("sum({} * 2)", n), both("sum({} + {})", n, self.column("late")), both("avg(abs({}))", n),
            both("max(length({}))", self.column("name")), both("min({} + 1)", n), both("sum({}) / 4.0", ratio),
            both("sum(CASE WHEN {} THEN 1 ELSE 0 END)", self.atom()), both("max({} * {})", n, ratio),
            both("-max({})", n),
            both("count(CASE WHEN {} > 3 THEN 1 END)", n), both("max(coalesce({}, 0))", n), both("avg({}) > 2", n),
            both("CASE WHEN count(*) > 20 THEN max({}) ELSE min({}) END", n, n), both("max({}) IS NULL", extreme),
        ])  # fmt: skip

    def group_key(self) -> Sql:
        if self.chance(0.8):
            return self.column(self.choice(MANY_KEYS if self.chance(0.15) else KEYS))
        ts, day = self.column("ts"), self.column("day")
        return self.choice([
            both("{} % 3", self.column("n")), both("substr({}, 1, 1)", self.column("name")),
            both("coalesce({}, '?')", self.column("kind")), both("{} > 4", self.column("n")),
            Sql(f"substr({ts.firn}, 1, 10)", f"strftime({ts.duck}, '%Y-%m-%d')"),
            both("upper({})", self.column("kind")),
            Sql(f"strftime('%d', {day.firn})", f"strftime({day.duck}, '%d')"), both("length({})", self.column("name")),
        ])  # fmt: skip

    def having(self) -> Sql:
        if not self.chance(0.35):
            return Sql("", "")
        n = self.column("n")
        tests = [
            both("count(*) > {}", self.dice.randint(0, 40)), both("sum({}) >= {}", n, self.dice.randint(0, 99)),
            both("max({}) < {}", n, self.dice.randint(0, 21)), both("min({}) IS NOT NULL", self.column("day")),
            both("avg({}) > {}", self.column("ratio"), self.dice.randint(0, 90)),
            both("count(DISTINCT {}) > {}", self.column("kind"), self.dice.randint(0, 4)),
            both("max({}) >= {}", self.column("name"), self.literal("name")),
            both("min({}) > {}", self.column("price"), self.literal("price")),
            both("NOT (count({}) = 0)", self.column("late")),
        ]  # fmt: skip
        return both(
            " HAVING {}", joined(self.choice([" AND ", " OR "]), self.dice.sample(tests, self.dice.randint(1, 2)))
        )

    # Statements

    def projection(self) -> Query:
        """Columns and expressions of rows that pass a tree of conditions."""
        items = [self.column(name) for name in self.some(ALL, 1, 6)]
        if self.chance(0.4):
            n, ratio = self.column("n"), self.column("ratio")
            items.append(self.choice([
                both("{} * 2 + 1", n), both("{} || '!'", self.column("name")), both("length({})", self.column("name")),
                both("coalesce({}, {})", self.column("late"), n), both("{} > 3 OR {}", n, self.column("flag")),
                both("CASE WHEN {} THEN 'yes' ELSE {} END", self.atom(), self.column("kind")), both("-{}", ratio),
                both("{} * {}", n, ratio), both("upper({})", self.column("kind")),
                both("{} IS NULL", self.column("day")),
                both("CASE WHEN {} THEN {} END", self.atom(), self.column("ts")), both("{} / 8", ratio),
                Sql("json_array_length(tags)", "len(tags)"), Sql("tags ->> 0", "tags[1]"), both("price * 2"),
                both("{} BETWEEN 1 AND 4", n), both("{} IN (1, 2, NULL)", n), both("CAST({} AS VARCHAR)", n),
            ]))  # fmt: skip
        source, where = self.source(self.table()), self.where()
        if self.chance(0.5):
            return Query(both("SELECT {} FROM {}{}", joined(", ", items), source, where))
        sort = [self.column(name) for name in self.some(COMPARED + ["flag", "device.os"], 0, 2)] + [self.column("id")]
        tail = both("{}{}", self.order(sort), self.limit())
        return Query(both("SELECT {} FROM {}{}{}", joined(", ", items), source, where, tail), ordered=True)

    def distinct(self) -> Query:
        items = [self.group_key() for _ in range(self.dice.randint(1, 3))]
        order = self.order([both("{}", number + 1) for number in range(len(items))])
        source, where, limit = self.source(self.table()), self.where(), self.limit(0.3)
        return Query(
            both("SELECT DISTINCT {} FROM {}{}{}{}", joined(", ", items), source, where, order, limit), ordered=True
        )

    def groups(self) -> Query:
        """`SELECT keys, aggregates FROM t WHERE conjunction GROUP BY keys HAVING … ORDER BY … LIMIT n`."""
        keys = [self.group_key() for _ in range(self.choice([1, 1, 1, 2, 2, 3]))]
        aggregates = [self.aggregate() for _ in range(self.dice.randint(1, 5))]
        where = self.conjunction() if self.chance(0.8) else self.where()
        numbers = [both("{}", number + 1) for number in range(len(keys))]
        by = joined(", ", keys if self.chance(0.6) else numbers)
        order = self.choice([[], numbers, numbers[::-1], [both("count(*)"), *numbers], [both("max(id)")]])
        tail = both("{}{}", self.order(order), self.limit()) if order else Sql("", "")
        items = joined(", ", keys + aggregates)
        sql = both(
            "SELECT {} FROM {}{} GROUP BY {}{}{}", items, self.source(self.table()), where, by, self.having(), tail
        )
        return Query(sql, ordered=bool(order))

    def whole(self) -> Query:
        """Aggregates without GROUP BY; many can be answered from metadata."""
        if self.chance(0.5):
            names = self.some([*COMPARED, "flag"], 1, 4)
            items = [both("{}({})", self.choice(["min", "max", "count"]), self.column(name)) for name in names]
            if self.chance(0.5):
                items.append(both("count(*)"))
        else:
            items = [self.aggregate() for _ in range(self.dice.randint(1, 6))]
        where = self.conjunction(0.5)
        return Query(both("SELECT {} FROM {}{}", joined(", ", items), self.source(self.table()), where), ordered=True)

    def top(self) -> Query:
        """The first rows in the order of one column, among them equal ones and NULLs."""
        sort = self.column(self.choice([*COMPARED, "n", "kind", "late", "flag", "device.os", "day"]))
        more = [self.column(name) for name in self.some(ALL, 0, 3)]
        items = joined(", ", [sort, self.column("id"), *more])
        nulls = self.choice(["", "", " NULLS FIRST", " NULLS LAST"])
        limit = f"LIMIT {self.choice([0, 1, 3, 10, 50, 1000])}" + self.choice(["", "", " OFFSET 5"])
        order = both("ORDER BY {}{}{} {}", sort, self.choice(["", " DESC"]), nulls, limit)
        return Query(
            both(
                "SELECT {} FROM {}{} {}",
                items,
                self.source(self.choice([self.table(), *LARGE])),
                self.conjunction(0.5),
                order,
            ),
            ties=True,
        )

    def join(self) -> Query:
        left, right = self.choice([("items", self.choice(list(TABLES))), (self.table(), "items")])
        kind = self.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", "LEFT JOIN"])
        table = both("g.{} t" if left != "items" else "g.{} i", left)
        other = both("g.{} t" if right != "items" else "g.{} i", right)
        on = self.choice([
            "t.n = i.code", "t.kind = i.kind", "t.day = i.day", "t.price = i.rate",
            "t.big = i.code AND t.kind <> i.kind",
            "t.name = i.title", "t.n = i.code AND t.kind = i.kind", "t.ratio = i.code",
            "t.n < i.code AND t.day = i.day",
            "t.kind IS NOT DISTINCT FROM i.kind AND t.n = i.code", "t.delta = i.rate", "t.n + 1 = i.code",
        ])  # fmt: skip
        if kind == "FULL JOIN" or kind == "RIGHT JOIN":
            on = self.choice(["t.n = i.code", "t.kind = i.kind", "t.day = i.day"])
        self.alias = "t"
        where = self.where(0.5)
        if self.chance(0.6):
            keys = [self.group_key(), self.choice([both("i.kind"), both("i.day"), both("i.code")])]
            items = [*keys, both("count(*)"), both("count(t.id)"), both("min(i.rate)"), self.aggregate()]
            sql = both(
                "SELECT {} FROM {} {} {} ON {}{} GROUP BY 1, 2", joined(", ", items), table, kind, other, on, where
            )
        else:
            items = [self.column(name) for name in self.some(ALL, 1, 3)] + [
                both("i.{}", self.choice(["title", "rate", "day"]))
            ]
            sql = both("SELECT {} FROM {} {} {} ON {}{}", joined(", ", items), table, kind, other, on, where)
        self.alias = ""
        return Query(Sql(sql.firn, sql.duck.replace("g.", "")))

    def self_join(self) -> Query:
        name, other = self.choice(list(TABLES)), self.choice(list(TABLES))
        on = self.choice(["a.id = b.id", "a.id = b.n", "a.big = b.id", "a.id = b.id + 1", "a.n = b.id AND a.flag"])
        self.alias = "b"
        sql = both("SELECT a.id, b.id, {} FROM g.{} a {} g.{} b ON {}{}", self.column(self.choice(ALL)), name,
                   self.choice(["JOIN", "LEFT JOIN"]), other, on, self.where(0.4))  # fmt: skip
        self.alias = ""
        return Query(Sql(sql.firn, sql.duck.replace("g.", "")))

    def common(self) -> Query:
        """A common table expression that groups, used once or twice."""
        key, value = self.group_key(), self.aggregate()
        source, where = self.source(self.table()), self.where(0.5)
        inner = both(
            "SELECT {} AS k, count(*) AS c, sum(n) AS s, {} AS v FROM {}{} GROUP BY 1", key, value, source, where
        )
        outer = self.choice([
            "SELECT k, c, v FROM x WHERE c > 3", "SELECT count(*), sum(c), max(s) FROM x",
            "SELECT a.k, b.c, a.v FROM x a JOIN x b ON a.k = b.k",
            "SELECT k, s FROM x WHERE s = (SELECT max(s) FROM x)",
            "SELECT a.c, count(*) FROM x a LEFT JOIN x b ON a.c < b.c GROUP BY a.c", "SELECT DISTINCT c FROM x",
        ])  # fmt: skip
        return Query(both("WITH x AS {}({}) {}", self.choice(["", "MATERIALIZED "]), inner, outer))

    def window(self) -> Query:
        partition = both("PARTITION BY {} ", self.column(self.choice(KEYS))) if self.chance(0.6) else Sql("", "")
        sort = self.column(self.choice(["n", "day", "ts", "ratio", "name", "price", "wide", "late"]))
        direction = self.choice(["", " DESC", " NULLS LAST"])
        peers = both("{}ORDER BY {}{}", partition, sort, direction)
        rows = both("{}, id", peers)
        frame = self.choice(FRAMES)
        n, value = self.column("n"), self.column(self.choice(["kind", "day", "name", "n", "flag"]))
        item = self.choice([
            both("row_number() OVER ({})", rows), both("rank() OVER ({})", peers),
            both("dense_rank() OVER ({})", peers),
            both("sum({}) OVER ({}{})", n, rows, frame), both("count(*) OVER ({})", peers),
            both("avg({}) OVER ({}{})", n, rows, frame),
            both("lag({}) OVER ({})", value, rows), both("lead({}, 2) OVER ({})", value, rows),
            both("ntile(4) OVER ({})", rows),
            both("first_value({}) OVER ({}{})", value, rows, frame), both("max({}) OVER ({}{})", n, rows, frame),
            both("count({}) OVER ({}{})", value, rows, frame), both("sum({}) OVER ({})", n, peers),
            both("last_value({}) OVER ({}{})", value, rows, frame), both("percent_rank() OVER ({})", peers),
        ])  # fmt: skip
        return Query(both("SELECT id, {} FROM {}{}", item, self.source(self.table()), self.where(0.5)))

    def subquery(self) -> Query:
        outer, inner = self.table(), self.table()
        name = self.choice(["n", "big", "kind", "day", "price", "late", "wide", "ts"])
        what = self.choice([
            f"SELECT id FROM g.{outer} WHERE {name} IN (SELECT {name} FROM g.{inner}{{}})",
            f"SELECT id FROM g.{outer} WHERE {name} NOT IN (SELECT {name} FROM g.{inner}{{}} AND {name} IS NOT NULL)",
            f"SELECT count(*) FROM g.{outer} WHERE {name} = (SELECT max({name}) FROM g.{inner}{{}})",
            f"SELECT id, {name} FROM g.{outer} WHERE {name} > (SELECT min({name}) FROM g.{inner}{{}})",
            f"SELECT count(*) FROM (SELECT {name}, count(*) AS c FROM g.{outer}{{}} GROUP BY 1) WHERE c > 2",
            f"SELECT code, (SELECT count(*) FROM g.{outer}{{}} AND n = items.code) FROM g.items",
            f"SELECT {name}, count(*) FROM g.{outer}{{}} AND {name} <> (SELECT min({name}) FROM g.{inner}) GROUP BY 1",
            f"SELECT max({name}) FROM g.{outer} WHERE {name} < (SELECT max({name}) FROM g.{inner}{{}})",
            f"SELECT (SELECT count({name}) FROM g.{outer}{{}}), (SELECT max({name}) FROM g.{inner}), count(*)"
            " FROM g.items",
            f"SELECT kind, count(*) FROM g.{outer} GROUP BY kind HAVING count(*) >"
            f" (SELECT count(*) - 300 FROM g.{inner}{{}})",
            f"SELECT code FROM g.items WHERE EXISTS (SELECT 1 FROM g.{outer}{{}} AND n = items.code)",
            f"SELECT code FROM g.items WHERE NOT EXISTS (SELECT 1 FROM g.{outer}{{}} AND day = items.day)",
        ])  # fmt: skip
        sql = both(what, both(" WHERE {}", self.condition(1)))
        return Query(Sql(sql.firn, sql.duck.replace("g.", "")))

    def compound(self) -> Query:
        names = self.some(["id", "n", "kind", "day", "price", "flag", "name", "big", "ts", "wide", "late"], 1, 3)
        items = joined(", ", [self.column(name) for name in names])
        parts = [
            both("SELECT {} FROM {}{}", items, self.source(self.table()), self.where())
            for _ in range(self.dice.randint(2, 3))
        ]
        sql = parts[0]
        for part in parts[1:]:
            sql = both("{} {} {}", sql, self.choice(["UNION", "UNION ALL", "EXCEPT", "UNION"]), part)
        return Query(sql)


FAMILIES = [
    "projection",
    "distinct",
    "groups",
    "whole",
    "top",
    "join",
    "self_join",
    "common",
    "window",
    "subquery",
    "compound",
]
