// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
    // The run-time checks of overlapping access cost up to an eighth of a commit; the tests run with them.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")

/// The rows of the module map in Docs/ARCHITECTURE.md, lowest first; a test compares every import with it.
let modules: [Target] = [
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),
    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CBrotli", pkgConfig: "libbrotlidec", providers: [.apt(["libbrotli-dev"])]),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .target(name: "CPlatform"),
    .target(
        name: "Base",
        dependencies: ["CZstd", "CZlib", "CSnappy", "CLZ4", "CBrotli", "CPlatform", logging, metrics],
        swiftSettings: settings),
    .target(name: "SQLiteKit", dependencies: ["Base", "CSQLite"], swiftSettings: settings),
    .target(name: "Columnar", dependencies: ["Base"], swiftSettings: settings),
    .target(name: "Storage", dependencies: ["Base"], swiftSettings: settings),
    .target(name: "Avro", dependencies: ["Base", "Columnar"], swiftSettings: settings),
    .target(name: "Parquet", dependencies: ["Base", "Columnar"], swiftSettings: settings),
    .target(name: "Arrow", dependencies: ["Base", "Columnar"], swiftSettings: settings),
    .target(
        name: "Iceberg", dependencies: ["Base", "Columnar", "Storage", "Avro", "Parquet"], swiftSettings: settings),
    .target(
        name: "Catalog", dependencies: ["Base", "Columnar", "Storage", "Iceberg", "SQLiteKit"],
        swiftSettings: settings),
    .target(
        name: "Query",
        dependencies: ["Base", "Columnar", "Storage", "Parquet", "Arrow", "Iceberg", "Catalog", "SQLiteKit"],
        swiftSettings: settings),
    .target(
        name: "Ingest",
        dependencies: [
            "CPlatform", "Base", "Columnar", "Storage", "Avro", "Parquet", "Arrow", "Iceberg", "Catalog",
        ],
        swiftSettings: settings),
    .target(
        name: "Maintenance", dependencies: ["Base", "Columnar", "Storage", "Parquet", "Iceberg", "Catalog"],
        swiftSettings: settings),
    .target(
        name: "Mutation", dependencies: ["Base", "Columnar", "Storage", "Iceberg", "Catalog", "Query"],
        swiftSettings: settings),
    .target(
        name: "RestCatalog",
        dependencies: [
            "Base", "Iceberg", "Catalog", .product(name: "AsyncHTTPClient", package: "async-http-client"),
            .product(name: "NIOSSL", package: "swift-nio-ssl"),
        ],
        swiftSettings: settings),
    .target(
        name: "Server",
        dependencies: [
            "CPlatform", "Base", "Columnar", "Storage", "Iceberg", "Catalog", "Query", "Ingest", "Maintenance",
            .product(name: "Hummingbird", package: "hummingbird"),
            .product(name: "NIOHTTP2", package: "swift-nio-http2"),
            .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
        ],
        swiftSettings: settings),
    .executableTarget(
        name: "firn",
        dependencies: [
            "Base", "Columnar", "Storage", "Avro", "Parquet", "Iceberg", "Catalog", "Query", "Ingest", "Maintenance",
            "Mutation", "RestCatalog", "Server",
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: settings),
    .executableTarget(
        name: "ParquetTool",
        dependencies: [
            "Base", "Columnar", "Parquet", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        swiftSettings: settings),
    .target(name: "TestSupport", dependencies: ["Base", "Columnar", "Storage"], swiftSettings: settings),
]

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let testTargets: [Target] = [
    tests("BaseTests", ["Base", "TestSupport"]),
    tests("SQLiteKitTests", ["Base", "SQLiteKit"]),
    tests("ColumnarTests", ["Base", "Columnar"]),
    tests("StorageTests", ["Base", "Storage", "TestSupport"]),
    tests("AvroTests", ["Base", "Columnar", "Avro"]),
    tests("ParquetTests", ["Base", "Columnar", "Parquet"]),
    tests("ArrowTests", ["Base", "Columnar", "Arrow", "TestSupport"]),
    tests("IcebergTests", ["Base", "Columnar", "Storage", "Avro", "Parquet", "Iceberg"]),
    tests("CatalogTests", ["Base", "Columnar", "Storage", "Iceberg", "SQLiteKit", "Catalog", "TestSupport"]),
    tests(
        "QueryTests",
        [
            "Base", "Columnar", "Storage", "Parquet", "Arrow", "Iceberg", "Catalog", "SQLiteKit", "Query",
            "TestSupport",
        ]),
    tests(
        "IngestTests",
        [
            "Base", "Columnar", "Storage", "Avro", "Parquet", "Arrow", "Iceberg", "Catalog", "Ingest", "TestSupport",
            logging,
        ]
    ),
    tests(
        "MaintenanceTests",
        ["Base", "Columnar", "Storage", "Avro", "Parquet", "Iceberg", "Catalog", "Maintenance", "TestSupport"]),
    tests("MutationTests", ["Base", "Columnar", "Mutation"]),
    tests("RestCatalogTests", ["Base", "Catalog", "RestCatalog", "TestSupport"]),
    tests("ServerTests", ["Base", "Server", "TestSupport"]),
    tests("FirnTests", ["Base", "Query", "firn"]),
    tests("TidyTests", ["Base"]),
]

/// libFuzzer needs a sanitized build of its own: `make fuzz` asks for it.
let fuzzTargets: [Target] =
    Context.environment["FIRN_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "Fuzz", dependencies: ["Parquet", "Arrow"], path: "Fuzz",
            swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])])
    ]

let package = Package(
    name: "firn",
    products: [
        .executable(name: "firn", targets: ["firn"]),
        .executable(name: "parquet-tool", targets: ["ParquetTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: modules + testTargets + fuzzTargets,
    swiftLanguageModes: [.v6]
)
