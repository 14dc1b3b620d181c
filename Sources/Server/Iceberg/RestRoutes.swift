import Catalog
import Hummingbird
import Ingest

/// The Iceberg REST catalog, below `/iceberg`.
///
/// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
struct RestRoutes: Sendable {
    let service: RestService

    init(warehouse: Warehouse, ingest: IngestService) {
        service = RestService(warehouse: warehouse, ingest: ingest)
    }

    /// Everything that is served.
    private var endpoints: [RestEndpoint] {
        RestNamespaces(service: service).endpoints + RestTables(service: service).endpoints
            + RestCommits(service: service).endpoints + RestViews(service: service).endpoints
            + RestPlans(service: service).endpoints + RestMetrics(service: service).endpoints
    }

    func add(to router: Router<RouteContext>) {
        router.add(middleware: RestErrorMiddleware())
        let config = RestConfig(endpoints: endpoints)
        let own = [
            RestEndpoint(.get, "/v1/config", isListed: false) { _ in JSONResponse.make(config.json) },
            RestEndpoint(.post, "/v1/oauth/tokens", isListed: false) { call in
                RestConfig.token(form: try await call.bytes())
            },
        ]
        for endpoint in config.endpoints + own {
            for route in endpoint.routes {
                router.on(RouterPath(route), method: endpoint.method) { [service] request, context in
                    try await service.answer(endpoint, RestCall(request: request, context: context))
                }
            }
        }
    }
}
