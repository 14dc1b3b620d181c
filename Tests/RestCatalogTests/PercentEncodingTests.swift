import Testing

@testable import RestCatalog

struct PercentEncodingTests {
    @Test(arguments: [("abc-._~Z9", "abc-._~Z9"), ("a b/c", "a%20b%2Fc"), ("é\u{1f}", "%C3%A9%1F"), ("", "")])
    func encodesAllButUnreserved(_ text: String, _ encoded: String) {
        #expect(PercentEncoding.component(text) == encoded)
    }
}
