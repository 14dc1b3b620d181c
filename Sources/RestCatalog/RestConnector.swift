import Base
import Catalog

/// Reaches Iceberg REST catalogs over HTTP.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
public struct RestConnector: RemoteConnector {
    public init() {}

    public func connect(_ endpoint: RemoteEndpoint) throws -> any RemoteCatalog { try RestClient(endpoint) }
}
