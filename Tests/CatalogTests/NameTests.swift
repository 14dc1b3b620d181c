import Base
import Catalog
import Testing

@Suite struct NameTests {
    @Test func parsesLevels() throws {
        let id = try TableIdentifier(parsing: "sales.eu_1.orders-2026")
        #expect(id.namespace == ["sales", "eu_1"])
        #expect(id.name == "orders-2026")
        #expect(id.description == "sales.eu_1.orders-2026")
        #expect(try TableIdentifier(parsing: String(repeating: "a", count: 127) + "." + longest).name == longest)
    }

    @Test(
        arguments: [
            "", "orders", ".orders", "shop.", "shop..orders", "../x", "shop.../x", "shop.a/b", "shop.a\\b",
            "shop.a'b", "shop.a\"b", "shop.a b", "shop.-a", "-shop.a", "shop.a\u{0}", "shop.é", "shop.ａ",
            "shop.a%2e", "shop.a\u{1F}b", "shop.a;drop", "wal.a", "shop.a\n", "shop.",
            "shop." + String(repeating: "x", count: 300), String(repeating: "x", count: 300) + ".a",
            String(repeating: "a.", count: 200) + "t",
        ] as [String]
    )
    func refuses(_ text: String) {
        #expect(fails(.invalidInput, "bad_identifier") { _ = try TableIdentifier(parsing: text) })
    }

    @Test func refusesNamespaces() throws {
        let scratch = try ScratchWarehouse()
        for namespace in [[], [""], ["a", ""], ["a.b"], ["../x"], ["wal"], ["wal", "x"]] {
            #expect(fails(.invalidInput, "bad_identifier") { try scratch.warehouse.createNamespace(namespace) })
        }
    }

    private var longest: String { String(repeating: "x", count: 255) }
}
