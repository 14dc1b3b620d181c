extension OpenAPIDocument {
    /// The Iceberg REST catalog: views, scan plans and metrics reports.
    static let icebergReadingPaths = #"""
          /iceberg/v1/namespaces/{namespace}/tables/{table}/metrics:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            post:
              tags: [iceberg]
              summary: Keep a report of a scan or a commit
              operationId: icebergReportMetrics
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergMetricsReport'}}}}
              responses:
                '204': {description: Kept}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}/plan:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            post:
              tags: [iceberg]
              summary: Plan a scan
              operationId: icebergPlan
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergScan'}}}}
              responses:
                '200': {description: A finished plan, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergPlan'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}/plan/{plan-id}:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}, {$ref: '#/components/parameters/icebergPlan'}]
            get:
              tags: [iceberg]
              summary: Look for a plan, of which none are kept
              operationId: icebergLoadPlan
              responses:
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            delete:
              tags: [iceberg]
              summary: Cancel a plan, which is finished already
              operationId: icebergCancelPlan
              responses:
                '204': {description: Nothing is left of it}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/tables/{table}/tasks:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergTable'}]
            post:
              tags: [iceberg]
              summary: The files of one part of a plan
              operationId: icebergPlanTask
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergPlanTask'}}}}
              responses:
                '200': {description: Files, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergPlanFiles'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/views:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            get:
              tags: [iceberg]
              summary: List views
              operationId: icebergListViews
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
              summary: Create a view
              operationId: icebergCreateView
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergNewView'}}}}
              responses:
                '200': {description: The view, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergView'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/register-view:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}]
            post:
              tags: [iceberg]
              summary: Take in a view by its metadata file
              operationId: icebergRegisterView
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergViewRegistration'}}}}
              responses:
                '200': {description: The view, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergView'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '406': {$ref: '#/components/responses/IcebergRefused'}
                '409': {$ref: '#/components/responses/IcebergConflict'}
                '413': {$ref: '#/components/responses/IcebergRefused'}
                '415': {$ref: '#/components/responses/IcebergRefused'}
                '422': {$ref: '#/components/responses/IcebergRefused'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
          /iceberg/v1/namespaces/{namespace}/views/{view}:
            parameters: [{$ref: '#/components/parameters/icebergNamespace'}, {$ref: '#/components/parameters/icebergView'}]
            get:
              tags: [iceberg]
              summary: Load a view
              operationId: icebergLoadView
              responses:
                '200': {description: The view, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergView'}}}}
                '400': {$ref: '#/components/responses/IcebergRefused'}
                '404': {$ref: '#/components/responses/IcebergNotFound'}
                '503': {$ref: '#/components/responses/IcebergBusy'}
            head:
              tags: [iceberg]
              summary: Look for a view
              operationId: icebergViewExists
              responses:
                '204': {description: It exists}
                '404': {description: It does not}
                '503': {description: Try again}
            post:
              tags: [iceberg]
              summary: Replace a view
              operationId: icebergReplaceView
              parameters:
                - {$ref: '#/components/parameters/icebergKey'}
              requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergViewCommit'}}}}
              responses:
                '200': {description: The view after the change, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergView'}}}}
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
              summary: Drop a view
              operationId: icebergDropView
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
          /iceberg/v1/views/rename:
            post:
              tags: [iceberg]
              summary: Rename a view
              operationId: icebergRenameView
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

        """#

    /// What those refer to.
    static let icebergReadingSchemas = #"""
            IcebergViewVersion:
              type: object
              required: [version-id, timestamp-ms, schema-id, summary, representations, default-namespace]
              properties:
                version-id: {type: integer, minimum: 0, maximum: 2147483647}
                timestamp-ms: {$ref: '#/components/schemas/IcebergLong'}
                schema-id: {type: integer, minimum: -1, maximum: 2147483647, description: '-1 for the last one added'}
                summary: {$ref: '#/components/schemas/IcebergStrings'}
                default-catalog: {type: string}
                default-namespace: {type: array, items: {type: string}}
                representations:
                  type: array
                  items:
                    type: object
                    required: [type]
                    properties: {type: {type: string}, sql: {type: string}, dialect: {type: string}}
            IcebergNewView:
              type: object
              required: [name, schema, view-version]
              properties:
                name: {type: string, minLength: 1}
                location: {type: string, description: A folder below the warehouse}
                schema: {$ref: '#/components/schemas/IcebergSchema'}
                view-version: {$ref: '#/components/schemas/IcebergViewVersion'}
                properties: {$ref: '#/components/schemas/IcebergStrings'}
            IcebergViewRegistration:
              type: object
              required: [name, metadata-location]
              properties:
                name: {type: string, minLength: 1}
                metadata-location: {type: string, description: A metadata file below the warehouse}
            IcebergViewCommit:
              type: object
              required: [updates]
              properties:
                identifier: {$ref: '#/components/schemas/IcebergIdentifier'}
                requirements: {type: array, items: {$ref: '#/components/schemas/IcebergViewRequirement'}}
                updates: {type: array, items: {$ref: '#/components/schemas/IcebergViewUpdate'}}
            IcebergView:
              type: object
              required: [metadata-location, metadata]
              properties:
                metadata-location: {type: string}
                metadata:
                  type: object
                  required: [view-uuid, format-version, location, current-version-id, versions, version-log, schemas]
                  properties:
                    view-uuid: {type: string, format: uuid}
                    format-version: {const: 1}
                    location: {type: string}
                    current-version-id: {type: integer}
                    versions: {type: array, minItems: 1, items: {$ref: '#/components/schemas/IcebergViewVersion'}}
                    version-log: {type: array, items: {type: object, required: [version-id, timestamp-ms]}}
                    schemas: {type: array, minItems: 1, items: {$ref: '#/components/schemas/IcebergSchema'}}
                    properties: {$ref: '#/components/schemas/IcebergStrings'}
                config: {$ref: '#/components/schemas/IcebergStrings'}
            IcebergExpression:
              description: A filter, as true or false, a comparison, or others joined by and, or, not
              oneOf: [{type: boolean}, {type: object, required: [type], properties: {type: {type: string}}}]
            IcebergScan:
              type: object
              properties:
                snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                start-snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                end-snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                select: {type: array, items: {type: string}}
                filter: {$ref: '#/components/schemas/IcebergExpression'}
                case-sensitive: {type: boolean, default: true}
                use-snapshot-schema: {type: boolean, default: false}
                stats-fields: {type: array, items: {type: string}}
                min-rows-requested: {$ref: '#/components/schemas/IcebergLong'}
            IcebergPlanTask: {type: object, required: [plan-task], properties: {plan-task: {type: string}}}
            IcebergContentFile:
              type: object
              required: [content, file-path, file-format, spec-id, partition, file-size-in-bytes, record-count]
              properties:
                content: {enum: [data, position-deletes, equality-deletes]}
                file-path: {type: string}
                file-format: {type: string}
                spec-id: {type: integer}
                partition: {type: array}
                file-size-in-bytes: {type: integer}
                record-count: {type: integer}
            IcebergPlanFiles:
              type: object
              required: [file-scan-tasks]
              properties:
                plan-tasks: {type: array, description: 'Parts of the plan to ask for', items: {type: string}}
                delete-files: {type: array, items: {$ref: '#/components/schemas/IcebergContentFile'}}
                file-scan-tasks:
                  type: array
                  items:
                    type: object
                    required: [data-file]
                    properties:
                      data-file: {$ref: '#/components/schemas/IcebergContentFile'}
                      delete-file-references: {type: array, description: Places in delete-files, items: {type: integer, minimum: 0}}
                      residual-filter: {$ref: '#/components/schemas/IcebergExpression'}
            IcebergPlan:
              allOf:
                - {$ref: '#/components/schemas/IcebergPlanFiles'}
                - {type: object, required: [status, plan-id], properties: {status: {const: completed}, plan-id: {type: string}}}
            IcebergMetricsReport:
              type: object
              required: [report-type, table-name, snapshot-id, metrics]
              properties:
                report-type: {enum: [scan-report, commit-report]}
                table-name: {type: string}
                snapshot-id: {type: integer, format: int64}
                sequence-number: {$ref: '#/components/schemas/IcebergLong'}
                operation: {type: string}
                schema-id: {type: integer}
                filter: {$ref: '#/components/schemas/IcebergExpression'}
                projected-field-ids: {type: array, items: {type: integer}}
                projected-field-names: {type: array, items: {type: string}}
                metrics: {type: object}
                metadata: {$ref: '#/components/schemas/IcebergStrings'}
            IcebergViewRequirement:
              type: object
              required: [type, uuid]
              properties:
                type: {const: assert-view-uuid}
                uuid: {type: string, format: uuid}
            IcebergViewUpdate:
              oneOf:
                - type: object
                  required: [action, uuid]
                  properties:
                    action: {const: assign-uuid}
                    uuid: {type: string, format: uuid}
                - type: object
                  required: [action, format-version]
                  properties:
                    action: {const: upgrade-format-version}
                    format-version: {type: integer}
                - type: object
                  required: [action, schema]
                  properties:
                    action: {const: add-schema}
                    schema: {$ref: '#/components/schemas/IcebergSchema'}
                - type: object
                  required: [action, location]
                  properties:
                    action: {const: set-location}
                    location: {type: string}
                - type: object
                  required: [action, updates]
                  properties:
                    action: {const: set-properties}
                    updates: {$ref: '#/components/schemas/IcebergStrings'}
                - type: object
                  required: [action, removals]
                  properties:
                    action: {const: remove-properties}
                    removals: {type: array, items: {type: string}}
                - type: object
                  required: [action, view-version]
                  properties:
                    action: {const: add-view-version}
                    view-version: {$ref: '#/components/schemas/IcebergViewVersion'}
                - type: object
                  required: [action, view-version-id]
                  properties:
                    action: {const: set-current-view-version}
                    view-version-id: {type: integer, minimum: -1, maximum: 2147483647, description: -1 for the last one added}

        """#
}
