extension OpenAPIDocument {
    /// The Iceberg REST catalog: namespaces, tables and commits.
    static let icebergPaths = #"""
          /iceberg/v1/config:
            get:
              tags: [iceberg]
              summary: What the catalog serves
              operationId: icebergConfig
              parameters:
                - {name: warehouse, in: query, description: May be anything, schema: {type: string}}
              responses:
                '200': {description: Settings and endpoints, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergConfig'}}}}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/oauth/tokens:
            post:
              tags: [iceberg]
              summary: Get a token, which no request needs
              operationId: icebergToken
              requestBody: {required: true, content: {application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/IcebergTokenRequest'}}}}
              responses:
                '200': {description: A token, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergToken'}}}}
                '400': {description: No token, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTokenError'}}}}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces:
            get:
              tags: [iceberg]
              summary: List namespaces, of the first level or below a parent
              operationId: icebergListNamespaces
              parameters:
                - {name: parent, in: query, description: Levels joined by U+001F, schema: {type: string}}
                - {$ref: '#/components/parameters/icebergPageToken'}
                - {$ref: '#/components/parameters/icebergPageSize'}
              responses:
                '200': {description: Names, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNamespaceList'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            post:
              tags: [iceberg]
              summary: Create a namespace
              operationId: icebergCreateNamespace
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNamespace'}}}}
              responses:
                '200': {description: The namespace, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNamespace'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            get:
              tags: [iceberg]
              summary: Describe a namespace
              operationId: icebergLoadNamespace
              responses:
                '200': {description: The namespace, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNamespace'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            head:
              tags: [iceberg]
              summary: Look for a namespace
              operationId: icebergNamespaceExists
              responses:
                '204': {description: It exists}
                '404': {description: It does not}
                '503': {description: Try again}
            delete:
              tags: [iceberg]
              summary: Drop an empty namespace
              operationId: icebergDropNamespace
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              responses:
                '204': {description: Dropped}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/properties:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            post:
              tags: [iceberg]
              summary: Set and remove properties of a namespace
              operationId: icebergUpdateNamespace
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergPropertiesChange'}}}}
              responses:
                '200': {description: What was changed, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergPropertiesChanged'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            get:
              tags: [iceberg]
              summary: List tables
              operationId: icebergListTables
              parameters:
                - {$ref: '#/components/parameters/icebergPageToken'}
                - {$ref: '#/components/parameters/icebergPageSize'}
              responses:
                '200': {description: Names, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergIdentifiers'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            post:
              tags: [iceberg]
              summary: Create a table, or only stage it
              operationId: icebergCreateTable
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNewTable'}}}}
              responses:
                '200': {description: The table, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTable'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/register:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            post:
              tags: [iceberg]
              summary: Take in a table by its metadata file
              operationId: icebergRegisterTable
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergRegistration'}}}}
              responses:
                '200': {description: The table, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTable'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            get:
              tags: [iceberg]
              summary: Load a table, with every record that was acknowledged before
              operationId: icebergLoadTable
              parameters:
                - {name: snapshots, in: query, description: 'Those that a branch or tag names, or all', schema: {enum: [all, refs], default: all}}
                - {name: If-None-Match, in: header, description: Tags of answers that the client has, schema: {type: string}}
                - {name: Firn-Max-Staleness-Ms, in: header, description: How old acknowledged records may be that the answer lacks, schema: {type: integer, minimum: 0}}
              responses:
                '200': {description: The table, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTable'}}}}
                '304': {description: The client has the present state}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            head:
              tags: [iceberg]
              summary: Look for a table
              operationId: icebergTableExists
              responses:
                '204': {description: It exists}
                '404': {description: It does not}
                '503': {description: Try again}
            post:
              tags: [iceberg]
              summary: Commit a change of a table
              description: A requirement that does not hold is 409 and changes nothing. 5xx says that the outcome is unknown.
              operationId: icebergCommit
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergCommit'}}}}
              responses:
                '200': {description: The table after the change, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTable'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '500': {$ref: '#/components/responses/IcebergUnknown'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            delete:
              tags: [iceberg]
              summary: Drop a table
              operationId: icebergDropTable
              parameters:
                - {name: purgeRequested, in: query, description: Also delete its files, schema: {type: boolean, default: false}}
                - {$ref: '#/components/parameters/icebergKey'}
              responses:
                '204': {description: Dropped}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}/unregister:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            post:
              tags: [iceberg]
              summary: Take a table out of the catalog with its files left
              operationId: icebergUnregisterTable
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              responses:
                '200': {description: The table as it was, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTable'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}/credentials:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            get:
              tags: [iceberg]
              summary: Credentials for the table's files, of which there are none
              operationId: icebergCredentials
              responses:
                '200': {description: No credentials, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergCredentials'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/tables/rename:
            post:
              tags: [iceberg]
              summary: Rename a table
              operationId: icebergRenameTable
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergRename'}}}}
              responses:
                '204': {description: Renamed}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/transactions/commit:
            post:
              tags: [iceberg]
              summary: Commit changes of several tables, all or none
              operationId: icebergCommitTransaction
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergTransaction'}}}}
              responses:
                '204': {description: Committed}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '500': {$ref: '#/components/responses/IcebergUnknown'}
                '503': {$ref: '#/components/responses/IcebergBusy'}

        """#
}
