extension OpenAPIDocument {
    /// What the paths of the Iceberg REST catalog refer to.
    static let icebergSchemas = #"""
            IcebergError:
              type: object
              required: [error]
              additionalProperties: false
              properties:
                error:
                  type: object
                  required: [message, type, code]
                  properties:
                    message: {type: string, minLength: 1}
                    type: {type: string, pattern: '(Exception|Error)$'}
                    code: {type: integer, minimum: 400, maximum: 599}
            IcebergConfig:
              type: object
              required: [defaults, overrides, endpoints, idempotency-key-lifetime]
              properties:
                defaults: {$ref: '#/components/schemas/IcebergStrings'}
                overrides: {$ref: '#/components/schemas/IcebergStrings'}
                endpoints: {type: array, uniqueItems: true, items: {type: string, pattern: '^(GET|HEAD|POST|DELETE) /v1/'}}
                idempotency-key-lifetime: {type: string, pattern: ^PT}
            IcebergTokenRequest:
              type: object
              required: [grant_type]
              properties:
                grant_type: {enum: [client_credentials, 'urn:ietf:params:oauth:grant-type:token-exchange']}
            IcebergToken:
              type: object
              required: [access_token, token_type, expires_in, issued_token_type]
              properties:
                access_token: {type: string}
                token_type: {const: bearer}
                expires_in: {type: integer}
                issued_token_type: {type: string}
            IcebergTokenError:
              type: object
              required: [error]
              properties:
                error:
                  description: A code here; an error as everywhere else if the body could not be read
                  oneOf: [{type: string}, {type: object}]
                error_description: {type: string}
            IcebergStrings: {type: object, additionalProperties: {type: string}}
            IcebergLevels: {type: array, minItems: 1, items: {type: string, minLength: 1}}
            IcebergNamespace:
              type: object
              required: [namespace]
              properties:
                namespace: {$ref: '#/components/schemas/IcebergLevels'}
                properties: {$ref: '#/components/schemas/IcebergStrings'}
            IcebergNamespaceList:
              type: object
              required: [namespaces]
              properties:
                namespaces: {type: array, items: {$ref: '#/components/schemas/IcebergLevels'}}
                next-page-token: {type: [string, 'null']}
            IcebergPropertiesChange:
              type: object
              properties:
                updates: {$ref: '#/components/schemas/IcebergStrings'}
                removals: {type: array, items: {type: string}}
            IcebergPropertiesChanged:
              type: object
              required: [updated, removed]
              properties:
                updated: {type: array, items: {type: string}}
                removed: {type: array, items: {type: string}}
                missing: {type: array, items: {type: string}}
            IcebergIdentifier:
              type: object
              required: [namespace, name]
              properties:
                namespace: {$ref: '#/components/schemas/IcebergLevels'}
                name: {type: string, minLength: 1}
            IcebergIdentifiers:
              type: object
              required: [identifiers]
              properties:
                identifiers: {type: array, items: {$ref: '#/components/schemas/IcebergIdentifier'}}
                next-page-token: {type: [string, 'null']}
            IcebergRename:
              type: object
              required: [source, destination]
              properties:
                source: {$ref: '#/components/schemas/IcebergIdentifier'}
                destination: {$ref: '#/components/schemas/IcebergIdentifier'}
            IcebergRegistration:
              type: object
              required: [name, metadata-location]
              properties:
                name: {type: string, minLength: 1}
                metadata-location: {type: string, description: A metadata file below the warehouse}
                overwrite: {type: boolean, default: false, description: Points an existing table at it}
            IcebergCredentials:
              type: object
              required: [storage-credentials]
              properties: {storage-credentials: {type: array, maxItems: 0}}
            IcebergId: {type: integer, minimum: 0, maximum: 2147483647}
            IcebergLong: {type: integer, format: int64, minimum: 0, maximum: 9223372036854775807}
            IcebergType:
              description: The name of a primitive type, or a struct, list or map
              oneOf:
                - {type: string, pattern: '^[a-z]'}
                - {type: object, required: [type], properties: {type: {enum: [struct, list, map]}}}
            IcebergField:
              type: object
              required: [id, name, required, type]
              properties:
                id: {$ref: '#/components/schemas/IcebergId'}
                name: {type: string}
                required: {type: boolean}
                type: {$ref: '#/components/schemas/IcebergType'}
                doc: {type: string}
                initial-default: {}
                write-default: {}
            IcebergSchema:
              type: object
              required: [type, fields]
              properties:
                type: {const: struct}
                schema-id: {$ref: '#/components/schemas/IcebergId'}
                identifier-field-ids: {type: array, items: {$ref: '#/components/schemas/IcebergId'}}
                fields: {type: array, items: {$ref: '#/components/schemas/IcebergField'}}
            IcebergPartitionSpec:
              type: object
              required: [fields]
              properties:
                spec-id: {$ref: '#/components/schemas/IcebergId'}
                fields:
                  type: array
                  items:
                    type: object
                    required: [source-id, name, transform]
                    properties:
                      field-id: {$ref: '#/components/schemas/IcebergId'}
                      source-id: {$ref: '#/components/schemas/IcebergId'}
                      name: {type: string, minLength: 1}
                      transform: {type: string, examples: [identity, 'bucket[16]', day]}
            IcebergSortOrder:
              type: object
              required: [order-id, fields]
              properties:
                order-id: {$ref: '#/components/schemas/IcebergId'}
                fields:
                  type: array
                  items:
                    type: object
                    required: [source-id, transform, direction, null-order]
                    properties:
                      source-id: {$ref: '#/components/schemas/IcebergId'}
                      transform: {type: string}
                      direction: {enum: [asc, desc]}
                      null-order: {enum: [nulls-first, nulls-last]}
            IcebergNewTable:
              type: object
              required: [name, schema]
              properties:
                name: {type: string, minLength: 1}
                schema: {$ref: '#/components/schemas/IcebergSchema'}
                partition-spec: {$ref: '#/components/schemas/IcebergPartitionSpec'}
                write-order: {$ref: '#/components/schemas/IcebergSortOrder'}
                location: {type: string, description: A folder below the warehouse}
                properties: {$ref: '#/components/schemas/IcebergStrings'}
                stage-create: {type: boolean, default: false, description: 'Only answers what the table would be, for a commit that creates it'}
            IcebergSnapshot:
              type: object
              required: [snapshot-id, timestamp-ms, manifest-list, summary]
              properties:
                snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                parent-snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                sequence-number: {$ref: '#/components/schemas/IcebergLong'}
                timestamp-ms: {$ref: '#/components/schemas/IcebergLong'}
                manifest-list: {type: string}
                first-row-id: {$ref: '#/components/schemas/IcebergLong'}
                added-rows: {$ref: '#/components/schemas/IcebergLong'}
                schema-id: {$ref: '#/components/schemas/IcebergId'}
                summary:
                  type: object
                  required: [operation]
                  properties: {operation: {enum: [append, replace, overwrite, delete]}}
                  additionalProperties: {type: string}
            IcebergRef:
              type: object
              required: [snapshot-id, type]
              properties:
                snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                type: {enum: [branch, tag]}
                min-snapshots-to-keep: {type: integer, minimum: 1}
                max-snapshot-age-ms: {type: integer, minimum: 1}
                max-ref-age-ms: {type: integer, minimum: 1}
            IcebergMetadata:
              type: object
              required: [format-version, table-uuid, location, last-updated-ms, last-column-id, schemas, current-schema-id, partition-specs,
                default-spec-id, last-partition-id, sort-orders, default-sort-order-id]
              properties:
                format-version: {type: integer, minimum: 1, maximum: 3}
                table-uuid: {type: string, format: uuid}
                location: {type: string}
                last-sequence-number: {$ref: '#/components/schemas/IcebergLong'}
                next-row-id: {$ref: '#/components/schemas/IcebergLong'}
                last-updated-ms: {$ref: '#/components/schemas/IcebergLong'}
                last-column-id: {type: integer, minimum: 0}
                schemas: {type: array, minItems: 1, items: {$ref: '#/components/schemas/IcebergSchema'}}
                current-schema-id: {type: integer, minimum: 0}
                partition-specs: {type: array, minItems: 1, items: {$ref: '#/components/schemas/IcebergPartitionSpec'}}
                default-spec-id: {type: integer, minimum: 0}
                last-partition-id: {type: integer}
                sort-orders: {type: array, minItems: 1, items: {$ref: '#/components/schemas/IcebergSortOrder'}}
                default-sort-order-id: {type: integer, minimum: 0}
                properties: {$ref: '#/components/schemas/IcebergStrings'}
                current-snapshot-id: {type: [integer, 'null']}
                snapshots: {type: array, items: {$ref: '#/components/schemas/IcebergSnapshot'}}
                refs: {type: object, additionalProperties: {$ref: '#/components/schemas/IcebergRef'}}
                snapshot-log: {type: array, items: {type: object, required: [snapshot-id, timestamp-ms]}}
                metadata-log: {type: array, items: {type: object, required: [metadata-file, timestamp-ms]}}
                statistics: {type: array, items: {$ref: '#/components/schemas/IcebergStatistics'}}
                partition-statistics: {type: array, items: {$ref: '#/components/schemas/IcebergPartitionStatistics'}}
            IcebergTable:
              type: object
              required: [metadata-location, metadata, config]
              properties:
                metadata-location: {type: [string, 'null'], description: Null for a table that is only staged}
                metadata: {$ref: '#/components/schemas/IcebergMetadata'}
                config: {$ref: '#/components/schemas/IcebergStrings'}
            IcebergStatistics:
              type: object
              required: [snapshot-id, statistics-path, file-size-in-bytes, file-footer-size-in-bytes, blob-metadata]
              properties:
                snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                statistics-path: {type: string}
                file-size-in-bytes: {$ref: '#/components/schemas/IcebergLong'}
                file-footer-size-in-bytes: {$ref: '#/components/schemas/IcebergLong'}
                blob-metadata: {type: array, items: {type: object, required: [type, snapshot-id, sequence-number, fields]}}
            IcebergPartitionStatistics:
              type: object
              required: [snapshot-id, statistics-path, file-size-in-bytes]
              properties:
                snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                statistics-path: {type: string}
                file-size-in-bytes: {$ref: '#/components/schemas/IcebergLong'}
            IcebergCommit:
              type: object
              properties:
                identifier: {$ref: '#/components/schemas/IcebergIdentifier'}
                requirements: {type: array, maxItems: 1000, items: {$ref: '#/components/schemas/IcebergRequirement'}}
                updates: {type: array, items: {$ref: '#/components/schemas/IcebergUpdate'}}
            IcebergTransaction:
              type: object
              required: [table-changes]
              properties:
                table-changes:
                  type: array
                  minItems: 1
                  maxItems: 100
                  items: {allOf: [{$ref: '#/components/schemas/IcebergCommit'}, {type: object, required: [identifier]}]}
            IcebergRequirement:
              oneOf:
                - type: object
                  required: [type]
                  properties:
                    type: {const: assert-create}
                - type: object
                  required: [type, uuid]
                  properties:
                    type: {const: assert-table-uuid}
                    uuid: {type: string, format: uuid}
                - type: object
                  required: [type, ref]
                  properties:
                    type: {const: assert-ref-snapshot-id}
                    ref: {type: string}
                    snapshot-id: {oneOf: [{$ref: '#/components/schemas/IcebergLong'}, {type: 'null'}], description: Null for a ref that must not exist}
                - type: object
                  required: [type, last-assigned-field-id]
                  properties:
                    type: {const: assert-last-assigned-field-id}
                    last-assigned-field-id: {$ref: '#/components/schemas/IcebergId'}
                - type: object
                  required: [type, current-schema-id]
                  properties:
                    type: {const: assert-current-schema-id}
                    current-schema-id: {$ref: '#/components/schemas/IcebergId'}
                - type: object
                  required: [type, last-assigned-partition-id]
                  properties:
                    type: {const: assert-last-assigned-partition-id}
                    last-assigned-partition-id: {$ref: '#/components/schemas/IcebergId'}
                - type: object
                  required: [type, default-spec-id]
                  properties:
                    type: {const: assert-default-spec-id}
                    default-spec-id: {$ref: '#/components/schemas/IcebergId'}
                - type: object
                  required: [type, default-sort-order-id]
                  properties:
                    type: {const: assert-default-sort-order-id}
                    default-sort-order-id: {$ref: '#/components/schemas/IcebergId'}
            IcebergUpdate:
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
                  required: [action, schema-id]
                  properties:
                    action: {const: set-current-schema}
                    schema-id: {type: integer, minimum: -1, maximum: 2147483647, description: -1 for the last one added}
                - type: object
                  required: [action, spec]
                  properties:
                    action: {const: add-spec}
                    spec: {$ref: '#/components/schemas/IcebergPartitionSpec'}
                - type: object
                  required: [action, spec-id]
                  properties:
                    action: {const: set-default-spec}
                    spec-id: {type: integer, minimum: -1, maximum: 2147483647, description: -1 for the last one added}
                - type: object
                  required: [action, sort-order]
                  properties:
                    action: {const: add-sort-order}
                    sort-order: {$ref: '#/components/schemas/IcebergSortOrder'}
                - type: object
                  required: [action, sort-order-id]
                  properties:
                    action: {const: set-default-sort-order}
                    sort-order-id: {type: integer, minimum: -1, maximum: 2147483647, description: -1 for the last one added}
                - type: object
                  required: [action, snapshot]
                  properties:
                    action: {const: add-snapshot}
                    snapshot: {$ref: '#/components/schemas/IcebergSnapshot'}
                - type: object
                  required: [action, ref-name, snapshot-id, type]
                  properties:
                    action: {const: set-snapshot-ref}
                    ref-name: {type: string, minLength: 1}
                    snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                    type: {enum: [branch, tag]}
                    min-snapshots-to-keep: {type: integer, minimum: 1}
                    max-snapshot-age-ms: {type: integer, minimum: 1}
                    max-ref-age-ms: {type: integer, minimum: 1}
                - type: object
                  required: [action, snapshot-ids]
                  properties:
                    action: {const: remove-snapshots}
                    snapshot-ids: {type: array, items: {$ref: '#/components/schemas/IcebergLong'}}
                - type: object
                  required: [action, ref-name]
                  properties:
                    action: {const: remove-snapshot-ref}
                    ref-name: {type: string}
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
                  required: [action, statistics]
                  properties:
                    action: {const: set-statistics}
                    statistics: {$ref: '#/components/schemas/IcebergStatistics'}
                - type: object
                  required: [action, snapshot-id]
                  properties:
                    action: {const: remove-statistics}
                    snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                - type: object
                  required: [action, partition-statistics]
                  properties:
                    action: {const: set-partition-statistics}
                    partition-statistics: {$ref: '#/components/schemas/IcebergPartitionStatistics'}
                - type: object
                  required: [action, snapshot-id]
                  properties:
                    action: {const: remove-partition-statistics}
                    snapshot-id: {$ref: '#/components/schemas/IcebergLong'}
                - type: object
                  required: [action, spec-ids]
                  properties:
                    action: {const: remove-partition-specs}
                    spec-ids: {type: array, items: {$ref: '#/components/schemas/IcebergId'}}
                - type: object
                  required: [action, schema-ids]
                  properties:
                    action: {const: remove-schemas}
                    schema-ids: {type: array, items: {$ref: '#/components/schemas/IcebergId'}}

        """#
}
