"""Apache Spark with Iceberg's own Java library through the REST catalog: it creates, writes, streams and maintains.

`make test-engines` installs Spark (430 MB) and runs these; without it they are skipped.
"""

import json

import pytest

from support.cli import firn
from support.client import Client, ndjson
from support.readers import read_pyiceberg
from support.rest import Rest, pyiceberg_catalog
from support.spark import EngineError, Spark

pytestmark = pytest.mark.limit(300)
# Each writes its deletes in a way of its own: whole files, files of positions, bitmaps.
MODES = {
    "copy-on-write": "'format-version'='2'",
    "merge-on-read": "'format-version'='2','write.delete.mode'='merge-on-read','write.update.mode'='merge-on-read',"
    "'write.merge.mode'='merge-on-read'",
    "deletion-vectors": "'format-version'='3','write.delete.mode'='merge-on-read','write.update.mode'='merge-on-read',"
    "'write.merge.mode'='merge-on-read'",
}
ALL = "options => map('rewrite-all', 'true')"


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    spark = Spark("spark", tmp_path_factory.mktemp("spark") / "spark.log")
    yield spark
    spark.close()


class Lake:
    """One server's catalog in Spark. `{c}` in SQL is its name."""

    def __init__(self, spark, server, warehouse):
        self.spark, self.server, self.warehouse = spark, server, warehouse
        self.client = Client(server)
        self.name = spark.attach(server)

    def run(self, code: str):
        return self.spark.run(code.replace("{c}", self.name))

    def sql(self, text: str) -> list:
        return self.spark.sql(text.replace("{c}", self.name))

    def rows(self, table: str, columns: str = "a, b") -> list:
        """What Spark reads, after Firn's own engine and PyIceberg have read the same."""
        names = columns.split(", ")
        found = sorted(self.sql(f"SELECT {columns} FROM {{c}}.{table}"))
        ours = firn("query", f'SELECT {columns} FROM "{table}"', warehouse=self.warehouse).rows()
        assert sorted([row[name] for name in names] for row in ours) == found
        theirs = read_pyiceberg(self.warehouse, table).to_pylist()
        assert sorted([row[name] for name in names] for row in theirs) == found
        return found

    def summary(self, table: str) -> dict:
        return self.client.snapshots(table)[-1]["summary"]


@pytest.fixture
def lake(spark, make_server, warehouse):
    # What Spark rewrites must still be there when it commits, and it does not try again.
    server = make_server(warehouse, options=("--no-compaction",)).start()
    lake = Lake(spark, server, warehouse)
    lake.sql("CREATE NAMESPACE {c}.shop")
    return lake


@pytest.mark.parametrize("mode", MODES)
def test_rows_are_inserted_updated_deleted_and_merged(lake, mode):
    lake.sql(f"CREATE TABLE {{c}}.shop.t (a INT, b STRING) USING iceberg TBLPROPERTIES ({MODES[mode]})")
    lake.sql("INSERT INTO {c}.shop.t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    lake.sql("INSERT INTO {c}.shop.t SELECT id, 'r' FROM range(10, 15)")
    lake.sql("DELETE FROM {c}.shop.t WHERE a >= 12")
    lake.sql("UPDATE {c}.shop.t SET b = 'u' WHERE a = 2")
    lake.sql(
        "MERGE INTO {c}.shop.t t USING (SELECT * FROM VALUES (1, 'm'), (3, 'gone'), (99, 'new') AS v(a, b)) s"
        " ON t.a = s.a WHEN MATCHED AND s.b = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET b = s.b"
        " WHEN NOT MATCHED THEN INSERT *"
    )
    assert lake.rows("shop.t") == [[1, "m"], [2, "u"], [10, "r"], [11, "r"], [99, "new"]]


def test_partitioned_tables_of_every_type(lake):
    lake.sql(
        "CREATE TABLE {c}.shop.t (a BIGINT, b STRING, c BOOLEAN, d DATE, e DECIMAL(12,3), f DOUBLE, g TIMESTAMP,"
        " h ARRAY<STRUCT<x: INT>>, i MAP<STRING, INT>, j BINARY, k TIMESTAMP_NTZ) USING iceberg"
        " PARTITIONED BY (days(g), bucket(4, a), truncate(2, b))"
    )
    lake.sql(
        "INSERT INTO {c}.shop.t SELECT id, concat('name', id), id % 2 = 0, date '2026-01-01', id / 7, id * 1.5,"
        " timestamp '2026-03-01 00:00:00' + make_interval(0,0,0,id), array(named_struct('x', cast(id as int))),"
        " map('k', cast(id as int)), cast('b' as binary), timestamp_ntz '2026-03-01 00:00:00' FROM range(20)"
    )
    assert lake.rows("shop.t") == [[n, f"name{n}"] for n in range(20)]
    assert lake.sql("SELECT a FROM {c}.shop.t WHERE g = timestamp '2026-03-04 00:00:00'") == [[3]]
    lake.run(
        "spark.table('{c}.shop.t').filter('a = 5').selectExpr('a', \"'over' AS b\", 'c', 'd', 'e', 'f', 'g', 'h', 'i',"
        " 'j', 'k').writeTo('{c}.shop.t').overwritePartitions()"
    )
    assert [5, "over"] in lake.rows("shop.t")


def test_tables_are_made_from_queries_replaced_renamed_and_dropped(lake):
    lake.sql("CREATE TABLE {c}.shop.made USING iceberg AS SELECT CAST(id AS INT) a, 'v' b FROM range(5)")
    assert len(lake.rows("shop.made")) == 5
    before = lake.client.snapshots("shop.made")
    lake.sql("CREATE OR REPLACE TABLE {c}.shop.made USING iceberg AS SELECT 7 a, 'w' b")
    assert lake.rows("shop.made") == [[7, "w"]]
    assert len(lake.client.snapshots("shop.made")) > len(before), "a replaced table keeps its history"
    with pytest.raises(EngineError, match="(?i)exist"):
        lake.sql("CREATE TABLE {c}.shop.made (a INT) USING iceberg")
    lake.sql("ALTER TABLE {c}.shop.made RENAME TO shop.moved")
    assert [row[1] for row in lake.sql("SHOW TABLES IN {c}.shop")] == ["moved"]
    location = lake.sql("SELECT file FROM {c}.shop.moved.metadata_log_entries ORDER BY timestamp DESC LIMIT 1")[0][0]
    lake.sql("DROP TABLE {c}.shop.moved")
    lake.sql(f"CALL {{c}}.system.register_table('shop.back', '{location}')")
    assert lake.rows("shop.back") == [[7, "w"]]
    lake.sql("DROP TABLE {c}.shop.back PURGE")
    with pytest.raises(EngineError):
        lake.sql("DROP NAMESPACE {c}.none")
    lake.sql("DROP NAMESPACE {c}.shop")


def test_schema_partitions_order_and_properties_evolve(lake):
    lake.sql("CREATE TABLE {c}.shop.t (a INT, b STRING) USING iceberg")
    lake.sql("INSERT INTO {c}.shop.t VALUES (1, 'x')")
    for change in ("ADD COLUMN c STRUCT<x: INT>", "ADD COLUMN c.y STRING", "RENAME COLUMN b TO name",
                   "ALTER COLUMN a TYPE BIGINT", "ALTER COLUMN name FIRST", "DROP COLUMN c.x",
                   "ADD PARTITION FIELD bucket(2, a)", "WRITE ORDERED BY a DESC",
                   "SET TBLPROPERTIES ('k'='v')", "ALTER COLUMN name COMMENT 'the name'"):  # fmt: skip
        lake.sql(f"ALTER TABLE {{c}}.shop.t {change}")
    lake.sql("INSERT INTO {c}.shop.t VALUES ('z', 1099511627776, named_struct('y', 'w'))")
    assert lake.rows("shop.t", "name, a") == [["x", 1], ["z", 1 << 40]]
    table = pyiceberg_catalog(lake.server).load_table("shop.t")
    assert table.properties["k"] == "v" and len(table.spec().fields) == 1 and len(table.sort_order().fields) == 1


def test_branches_tags_time_travel_and_rollback(lake):
    lake.sql("CREATE TABLE {c}.shop.t (a INT, b STRING) USING iceberg")
    for n in range(3):
        lake.sql(f"INSERT INTO {{c}}.shop.t VALUES ({n}, 'x')")
    ids = [s["snapshot-id"] for s in lake.client.snapshots("shop.t")]
    lake.sql(f"ALTER TABLE {{c}}.shop.t CREATE TAG first AS OF VERSION {ids[0]} RETAIN 7 DAYS")
    lake.sql("ALTER TABLE {c}.shop.t CREATE BRANCH side")
    lake.sql("INSERT INTO {c}.shop.t.branch_side VALUES (100, 'side')")
    assert lake.sql("SELECT count(*) FROM {c}.shop.t VERSION AS OF 'first'") == [[1]]
    assert lake.sql("SELECT count(*) FROM {c}.shop.t VERSION AS OF 'side'") == [[4]]
    assert len(lake.rows("shop.t")) == 3
    lake.sql("CALL {c}.system.fast_forward('shop.t', 'main', 'side')")
    assert len(lake.rows("shop.t")) == 4
    lake.sql(f"CALL {{c}}.system.rollback_to_snapshot('shop.t', {ids[1]})")
    assert lake.rows("shop.t") == [[0, "x"], [1, "x"]]
    lake.sql("ALTER TABLE {c}.shop.t DROP TAG first")
    assert {row[0] for row in lake.sql("SELECT name FROM {c}.shop.t.refs")} == {"main", "side"}


@pytest.mark.parametrize("mode", MODES)
def test_files_are_compacted_and_snapshots_expired(lake, mode):
    lake.sql(f"CREATE TABLE {{c}}.shop.t (a INT, b STRING) USING iceberg TBLPROPERTIES ({MODES[mode]})")
    for n in range(6):
        lake.sql(f"INSERT INTO {{c}}.shop.t SELECT CAST(id AS INT), 'r{n}' FROM range({n * 10}, {n * 10 + 10})")
    lake.sql("DELETE FROM {c}.shop.t WHERE a % 10 = 3")
    before = lake.rows("shop.t")
    assert len(before) == 54
    if mode == "merge-on-read":
        lake.sql(f"CALL {{c}}.system.rewrite_position_delete_files(table => 'shop.t', {ALL})")
        assert lake.rows("shop.t") == before
    done = lake.sql(f"CALL {{c}}.system.rewrite_data_files(table => 'shop.t', {ALL})")
    assert done[0][0] >= 6 and done[0][1] == 1
    assert lake.rows("shop.t") == before
    lake.sql("CALL {c}.system.rewrite_manifests('shop.t')")
    assert lake.rows("shop.t") == before
    ever = "older_than => timestamp '2100-01-01 00:00:00'"
    lake.sql(f"CALL {{c}}.system.expire_snapshots(table => 'shop.t', {ever}, retain_last => 1)")
    assert len(lake.client.snapshots("shop.t")) == 1
    assert lake.rows("shop.t") == before
    lake.sql("CALL {c}.system.remove_orphan_files(table => 'shop.t', dry_run => true)")


def test_a_structured_stream_is_written_and_read(lake, tmp_path):
    """Files come in as a stream; what a second stream reads of the table is all of it."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    lake.sql("CREATE TABLE {c}.shop.t (a INT, b STRING) USING iceberg")
    write = (
        f"q = (spark.readStream.schema('a INT, b STRING').json({str(source)!r}).writeStream.format('iceberg')"
        f".option('checkpointLocation', {str(tmp_path / 'check')!r}).trigger(availableNow=True)"
        ".toTable('{c}.shop.t'))\nq.awaitTermination()"
    )
    for round_ in range(3):
        rows = [{"a": round_ * 10 + n, "b": "s"} for n in range(10)]
        (source / f"{round_}.json").write_text("\n".join(json.dumps(row) for row in rows))
        lake.run(write)
        assert len(lake.rows("shop.t")) == 10 * (round_ + 1)
    lake.client.records("shop.t", ndjson([{"a": 1000, "b": "ingested"}])).ok()
    read = (
        f"q = (spark.readStream.format('iceberg').load('{{c}}.shop.t').writeStream.format('json')"
        f".option('checkpointLocation', {str(tmp_path / 'check-2')!r}).option('path', {str(out)!r})"
        ".trigger(availableNow=True).start())\nq.awaitTermination()"
    )
    lake.run(read)
    assert sorted(lake.run(f"result = [r.a for r in spark.read.json({str(out)!r}).collect()]")) == [*range(30), 1000]


def test_streamed_records_are_read_merged_and_compacted_beside_ingestion(lake):
    lake.client.create_table("shop.s", "a int, b string")
    sent = 0

    def send(rows=10):
        nonlocal sent
        lake.client.records("shop.s", ndjson({"a": sent + n, "b": "s"} for n in range(rows))).ok()
        sent += rows

    send()
    assert lake.sql("SELECT count(*) FROM {c}.shop.s") == [[10]], "what was acknowledged is read"
    send()
    lake.sql("DELETE FROM {c}.shop.s WHERE a % 2 = 1")
    send()
    lake.sql(
        "MERGE INTO {c}.shop.s t USING (SELECT CAST(id AS INT) a FROM range(0, 40, 4)) s ON t.a = s.a"
        " WHEN MATCHED THEN UPDATE SET b = 'm' WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, 'n')"
    )
    send()
    expected = {n: "s" for n in range(20) if n % 2 == 0} | {n: "s" for n in range(20, 30)}
    for n in range(0, 40, 4):
        expected[n] = "m" if n in expected else "n"
    both = sorted([[a, b] for a, b in expected.items()] + [[n, "s"] for n in range(30, 40)])
    assert lake.rows("shop.s") == both
    lake.sql(f"CALL {{c}}.system.rewrite_data_files(table => 'shop.s', {ALL})")
    send(5)
    both += [[n, "s"] for n in range(40, 45)]
    assert lake.rows("shop.s") == sorted(both)
    lake.client.compact("shop.s")
    assert lake.rows("shop.s") == sorted(both)


def test_firn_compacts_and_expires_what_spark_wrote(lake):
    lake.sql(f"CREATE TABLE {{c}}.shop.t (a INT, b STRING) USING iceberg TBLPROPERTIES ({MODES['merge-on-read']})")
    for n in range(5):
        lake.sql(f"INSERT INTO {{c}}.shop.t SELECT CAST(id AS INT), 'x' FROM range({n * 10}, {n * 10 + 10})")
    lake.sql("DELETE FROM {c}.shop.t WHERE a < 5")
    before = lake.rows("shop.t")
    lake.client.compact("shop.t")
    assert int(lake.summary("shop.t")["total-data-files"]) == 1
    assert lake.rows("shop.t") == before and len(before) == 45
    lake.sql("INSERT INTO {c}.shop.t VALUES (500, 'after')")
    assert lake.rows("shop.t") == before + [[500, "after"]]


def test_views(lake):
    if not any("/views" in endpoint for endpoint in Rest(lake.server).ok("GET", "/config").json["endpoints"]):
        pytest.skip("this server has no views")
    lake.sql("CREATE TABLE {c}.shop.t (a INT, b STRING) USING iceberg")
    lake.sql("INSERT INTO {c}.shop.t VALUES (1, 'x'), (2, 'y')")
    lake.sql("CREATE VIEW {c}.shop.v (n COMMENT 'number') AS SELECT a FROM {c}.shop.t WHERE a > 1")
    assert lake.sql("SELECT * FROM {c}.shop.v") == [[2]]
    lake.sql("CREATE OR REPLACE VIEW {c}.shop.v AS SELECT a, b FROM {c}.shop.t")
    assert sorted(lake.sql("SELECT * FROM {c}.shop.v")) == [[1, "x"], [2, "y"]]
    with pytest.raises(EngineError, match="(?i)exist"):
        lake.sql("CREATE VIEW {c}.shop.v AS SELECT 1")
    lake.sql("ALTER VIEW {c}.shop.v SET TBLPROPERTIES ('k'='v')")
    lake.sql("ALTER VIEW {c}.shop.v RENAME TO {c}.shop.w")
    assert [row[1] for row in lake.sql("SHOW VIEWS IN {c}.shop")] == ["w"]
    lake.sql("DROP VIEW {c}.shop.w")
    assert lake.sql("SHOW VIEWS IN {c}.shop") == []
