import Base

/// A page of a listing.
///
/// A listing is cut only where the request has a page token, an empty one for the first page; without, a client does
/// not expect to be asked for more. The token is the name that the page before ended with, so that what comes and goes
/// meanwhile neither repeats nor hides anything else.
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (PageToken)
struct RestPage {
    static let sizeDefault = 1000
    static let sizeMax = 10_000

    /// Nil for everything at once.
    private let after: String?
    private let size: Int

    /// Throws `.invalidInput` (`bad_page_size`).
    init(token: String?, size: String?) throws(FirnError) {
        after = token
        guard let size, !size.isEmpty else {
            self.size = Self.sizeDefault
            return
        }
        guard let number = Int(size), number > 0 else {
            throw FirnError(.invalidInput, "bad_page_size", "pageSize must be a number from 1")
        }
        self.size = min(number, Self.sizeMax)
    }

    init(_ call: RestCall) throws(FirnError) {
        try self.init(token: call.query("pageToken"), size: call.query("pageSize"))
    }

    /// The items of this page in the order of their names, and the token of the next.
    func cut<Item>(_ items: [Item], name: (Item) -> String) -> (items: [Item], next: String?) {
        let sorted = items.sorted { name($0) < name($1) }
        guard let after else { return (sorted, nil) }
        let rest = sorted.drop { name($0) <= after }
        let page = Array(rest.prefix(size))
        return (page, rest.count > page.count ? page.last.map(name) : nil)
    }
}
