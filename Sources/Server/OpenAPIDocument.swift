/// The description of the HTTP API: `Schemas/openapi.yaml`, embedded. A test compares the two.
enum OpenAPIDocument {
    static let bytes = Array(text.utf8)

    static let text =
        paths + icebergPaths + icebergReadingPaths + components + icebergSchemas + icebergReadingSchemas

    private static let paths = #"""
        openapi: 3.1.0
        info:
          title: Firn
          version: 0.1.0
          description: Stream records into Apache Iceberg tables, query their snapshots, keep their files few.
          license: {name: Apache-2.0, identifier: Apache-2.0}
        servers:
          - url: http://127.0.0.1:8181
        paths:
          /v1/tables:
            get:
              summary: List tables
              operationId: listTables
              responses:
                '200': {description: Names as namespace.table, content: {application/json: {schema: {type: object, required: [tables], properties: {tables: {type: array, items: {type: string}}}}}}}
            post:
              summary: Create a table
              operationId: createTable
              requestBody:
                required: true
                content: {application/json: {schema: {$ref: '#/components/schemas/TableDefinition'}}}
              responses:
                '201': {description: The new table, content: {application/json: {schema: {$ref: '#/components/schemas/Table'}}}}
                default: {$ref: '#/components/responses/Problem'}
          /v1/namespaces:
            get:
              summary: List namespaces
              operationId: listNamespaces
              responses:
                '200': {description: Names, content: {application/json: {schema: {type: object, required: [namespaces], properties: {namespaces: {type: array, items: {type: string}}}}}}}
            post:
              summary: Create a namespace
              description: With the property firn.auto-create-tables=true the first records of an unknown table define it.
              operationId: createNamespace
              requestBody:
                required: true
                content: {application/json: {schema: {type: object, required: [namespace], properties: {namespace: {type: string}, properties: {type: object, additionalProperties: {type: string}}}}}}
              responses:
                '201': {description: Created}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            get:
              summary: Describe a table
              operationId: describeTable
              responses:
                '200': {description: The table, content: {application/json: {schema: {$ref: '#/components/schemas/Table'}}}}
                default: {$ref: '#/components/responses/Problem'}
            patch:
              summary: Alter a table
              operationId: alterTable
              requestBody:
                required: true
                content:
                  application/json:
                    schema:
                      type: object
                      properties:
                        set-properties:
                          description: format-version upgrades the table
                          type: object
                          additionalProperties: {type: string}
                        remove-properties: {type: array, items: {type: string}}
                        partition:
                          description: 'Either "set" alone, or any of the others'
                          type: object
                          properties:
                            set: {type: string, description: All terms; empty for an unpartitioned table, examples: ['day(ts), country']}
                            add: {type: string, description: Terms, examples: ['bucket(16, id)']}
                            drop: {type: string, description: Terms or names, examples: [day(ts)]}
                            rename: {type: object, description: Old names to new ones, additionalProperties: {type: string}}
                        sort: {type: string, description: 'Sort terms, or "none"', examples: [ts desc nulls last]}
                        rename-to: {type: string}
              responses:
                '200': {description: The altered table, content: {application/json: {schema: {$ref: '#/components/schemas/Table'}}}}
                default: {$ref: '#/components/responses/Problem'}
            delete:
              summary: Drop a table
              operationId: dropTable
              parameters: [{name: purge, in: query, description: Also delete its files, schema: {type: boolean, default: true}}]
              responses:
                '204': {description: Dropped}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/records:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            post:
              summary: Insert records
              description: >-
                Every accepted record is durable when this answers with 200 and lands exactly once, however often a batch with
                an Idempotency-Key or a producer sequence is sent. Records that do not fit the schema are listed in "rejected";
                the others land. A batch without any acceptable record is answered with 422.
              operationId: insertRecords
              parameters:
                - {name: Content-Encoding, in: header, schema: {enum: [gzip, zstd, identity]}}
                - {name: Idempotency-Key, in: header, description: Makes a retry of this batch safe, schema: {type: string, maxLength: 255}}
                - {name: Firn-Producer, in: header, description: Names the sender of a rising sequence, schema: {type: string, maxLength: 255}}
                - {name: Firn-Epoch, in: header, description: A higher epoch fences the holders of lower ones, schema: {type: integer, minimum: 0, default: 0}}
                - {name: Firn-Sequence, in: header, description: 'Strictly increasing per producer; gaps are allowed, so a source offset serves', schema: {type: integer, minimum: 0}}
                - {name: Prefer, in: header, description: 'wait=committed answers once the records are in a snapshot', schema: {type: string}}
              requestBody:
                required: true
                content:
                  application/x-ndjson: {schema: {type: string, description: One JSON object a line}}
                  application/json: {schema: {oneOf: [{type: object}, {type: array, items: {type: object}}]}}
                  text/csv: {schema: {type: string, description: RFC 4180 with a header line}}
                  application/vnd.apache.avro: {schema: {type: string, format: binary, description: An Avro object container file}}
                  application/vnd.apache.arrow.stream: {schema: {type: string, format: binary, description: An Arrow IPC stream or file}}
                  application/vnd.apache.parquet: {schema: {type: string, format: binary, description: A Parquet file}}
              responses:
                '200': {description: What was accepted, content: {application/json: {schema: {$ref: '#/components/schemas/IngestAnswer'}}}}
                '409': {$ref: '#/components/responses/Problem'}
                '413': {$ref: '#/components/responses/Problem'}
                '422': {$ref: '#/components/responses/Problem'}
                '429': {$ref: '#/components/responses/Problem'}
                '507': {$ref: '#/components/responses/Problem'}
                default: {$ref: '#/components/responses/Problem'}
          /v1/records:
            post:
              summary: Insert records into several tables, all or none
              description: >-
                One transaction of the catalog makes the records visible in all tables. A record that its table refuses refuses
                the whole request with 422, unless that table keeps dead letters. Headers are those of a request for one table.
              operationId: insertRecordsOfSeveralTables
              requestBody:
                required: true
                content:
                  application/x-ndjson: {schema: {type: string, description: 'Lines {"table": "ns.name", "record": {…}}'}}
                  application/json:
                    schema:
                      type: array
                      items:
                        type: object
                        required: [table, records]
                        properties: {table: {type: string}, records: {type: array, items: {type: object}}}
              responses:
                '200': {description: What was accepted, content: {application/json: {schema: {$ref: '#/components/schemas/IngestAnswer'}}}}
                default: {$ref: '#/components/responses/Problem'}
          /v1/flush:
            post:
              summary: Commit everything acknowledged, of all tables
              operationId: flushAll
              responses:
                '200': {description: 'The snapshot that each table''s records are in: {"tables": {name: id}}'}
                default: {$ref: '#/components/responses/Problem'}
          /v1/dead-letters:
            get:
              summary: Count dead letters by table and code
              operationId: countDeadLetters
              responses:
                '200': {description: '{"dead-letters": [{"table", "letters", "by-code"}]}'}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/dead-letters:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {$ref: '#/components/parameters/letterCode'}
              - {$ref: '#/components/parameters/letterColumn'}
              - {$ref: '#/components/parameters/fromPosition'}
              - {$ref: '#/components/parameters/toPosition'}
            get:
              summary: Show dead letters with their reasons
              operationId: showDeadLetters
              parameters: [{name: limit, in: query, schema: {type: integer, default: 100, maximum: 1000}}]
              responses:
                '200': {description: Dead letters}
                default: {$ref: '#/components/responses/Problem'}
            delete:
              summary: Delete dead letters for good
              operationId: discardDeadLetters
              responses:
                '200': {description: How many went, content: {application/json: {schema: {$ref: '#/components/schemas/RedriveReport'}}}}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/dead-letters/redrive:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {$ref: '#/components/parameters/letterCode'}
              - {$ref: '#/components/parameters/letterColumn'}
              - {$ref: '#/components/parameters/fromPosition'}
              - {$ref: '#/components/parameters/toPosition'}
            post:
              summary: Move dead letters that fit by now back into the table, in one commit
              operationId: redriveDeadLetters
              responses:
                '200': {description: What moved, content: {application/json: {schema: {$ref: '#/components/schemas/RedriveReport'}}}}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/schema:
            parameters:
              - $ref: "#/components/parameters/namespace"
              - $ref: "#/components/parameters/table"
            get:
              summary: The current schema and all earlier ones
              operationId: showSchema
              responses:
                "200":
                  description: '{"schema-id", "schema", "history": [{"schema-id", "schema", "snapshots"}]}, oldest first'
                default:
                  $ref: "#/components/responses/Problem"
            patch:
              summary: Change the schema, all operations or none
              operationId: changeSchema
              description: >
                Adds, drops, renames, moves and widens columns, makes them optional or required, describes them, sets defaults
                of new rows (format version 3) and identifier columns; at any depth, each operation working on what those before
                it made. What is already so is skipped.
              requestBody:
                required: true
                content:
                  application/json:
                    schema:
                      type: object
                      required: [operations]
                      properties:
                        operations:
                          type: array
                          minItems: 1
                          items:
                            type: object
                            required: [op]
                            properties:
                              op:
                                type: string
                                enum: [add, drop, rename, move, widen, optional, required, doc, default, identifier]
                              column:
                                description: A dotted path, or an array of names; of every operation but identifier
                                oneOf: [{ type: string }, { type: array, items: { type: string } }]
                              columns: { type: array, items: {}, description: Of identifier }
                              to: { type: string, description: The new name of rename }
                              type: { description: "Iceberg's JSON form or the short form, of add and widen" }
                              doc: { type: [string, "null"], description: Of add and doc }
                              default:
                                description: >
                                  Iceberg's single-value JSON; of add (both defaults) and of default, where null removes it
                              required: { type: boolean, description: "Of add, with a default" }
                              allow-incompatible: { type: boolean, description: Of required }
                              first: { type: boolean, description: Of add and move }
                              after: { description: "A sibling, of add and move" }
                              before: { description: "A sibling, of add and move" }
              responses:
                "200":
                  description: '{"changed", "schema-id", "schema"}'
                default:
                  $ref: "#/components/responses/Problem"
          /v1/tables/{namespace}/{table}/schema/proposals:
            parameters:
              - $ref: "#/components/parameters/namespace"
              - $ref: "#/components/parameters/table"
            get:
              summary: Schema changes that records have asked for
              operationId: listSchemaProposals
              parameters:
                - name: state
                  in: query
                  schema: { type: string, enum: [open, approved, rejected] }
              responses:
                "200":
                  description: '{"proposals": [{"id", "state", "description", "change", "records", "sample", "created-ms", "seen-ms", "decided-ms"}]}'
                default:
                  $ref: "#/components/responses/Problem"
          /v1/tables/{namespace}/{table}/schema/proposals/{id}/approve:
            parameters:
              - $ref: "#/components/parameters/namespace"
              - $ref: "#/components/parameters/table"
              - { name: id, in: path, required: true, schema: { type: integer } }
            post:
              summary: Make a proposed change; may be repeated
              operationId: approveSchemaProposal
              responses:
                "200": { description: The proposal }
                default:
                  $ref: "#/components/responses/Problem"
          /v1/tables/{namespace}/{table}/schema/proposals/{id}/reject:
            parameters:
              - $ref: "#/components/parameters/namespace"
              - $ref: "#/components/parameters/table"
              - { name: id, in: path, required: true, schema: { type: integer } }
            post:
              summary: Turn a proposed change down for good
              operationId: rejectSchemaProposal
              responses:
                "200": { description: The proposal }
                default:
                  $ref: "#/components/responses/Problem"
          /v1/tables/{namespace}/{table}/producers/{producer}:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {name: producer, in: path, required: true, schema: {type: string}}
            get:
              summary: Where a producer may resume
              operationId: producerPosition
              responses:
                '200': {description: 'Last durable and last committed sequence', content: {application/json: {schema: {type: object, properties: {producer: {type: string}, epoch: {type: integer}, durable-sequence: {type: [integer, 'null']}, committed-sequence: {type: [integer, 'null']}}}}}}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/flush:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            post:
              summary: Commit what is durable
              operationId: flushTable
              responses:
                '200': {description: Committed}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/compact:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            post:
              summary: Merge small files now
              operationId: compactTable
              responses:
                '200': {description: 'Files and bytes before and after, and "deletes-carried": rows that others deleted meanwhile, deleted in the outputs too'}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/snapshots:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            get:
              summary: List snapshots
              operationId: listSnapshots
              responses:
                '200': {description: Snapshots in Iceberg's JSON form, oldest first}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/files:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {name: snapshot-id, in: query, schema: {type: integer}}
            get:
              summary: List the data files of a snapshot
              operationId: listFiles
              responses:
                '200': {description: Path, records and bytes of each file}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/schedules:
            parameters: [{$ref: '#/components/parameters/namespace'}, {$ref: '#/components/parameters/table'}]
            get:
              summary: List maintenance schedules
              operationId: listSchedules
              responses:
                '200': {description: Schedules with their next runs}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/schedules/{name}:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {name: name, in: path, required: true, schema: {type: string}}
            get:
              summary: Show a schedule
              operationId: showSchedule
              responses:
                '200': {description: The schedule and its next five runs}
                default: {$ref: '#/components/responses/Problem'}
            put:
              summary: Set a schedule
              operationId: setSchedule
              requestBody:
                required: true
                content: {application/json: {schema: {$ref: '#/components/schemas/Schedule'}}}
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
            delete:
              summary: Remove a schedule
              operationId: removeSchedule
              responses:
                '204': {description: Removed}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/schedules/{name}/pause:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {name: name, in: path, required: true, schema: {type: string}}
            post:
              summary: Keep a schedule but do not run it
              operationId: pauseSchedule
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
          /v1/tables/{namespace}/{table}/schedules/{name}/resume:
            parameters:
              - {$ref: '#/components/parameters/namespace'}
              - {$ref: '#/components/parameters/table'}
              - {name: name, in: path, required: true, schema: {type: string}}
            post:
              summary: Run a paused schedule again
              operationId: resumeSchedule
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
          /v1/schedules:
            get:
              summary: List all schedules, those of patterns too
              operationId: listAllSchedules
              responses:
                '200': {description: Schedules with their next runs}
                default: {$ref: '#/components/responses/Problem'}
          /v1/schedules/{pattern}/{name}:
            parameters:
              - {name: pattern, in: path, required: true, description: 'A table or a pattern: events.*', schema: {type: string}}
              - {name: name, in: path, required: true, schema: {type: string}}
            get:
              summary: Show a schedule, its next five runs, and what it would do now
              operationId: showPatternSchedule
              responses:
                '200': {description: 'The schedule, with `explain`, and a line about each table it matches'}
                default: {$ref: '#/components/responses/Problem'}
            put:
              summary: Set a schedule of a table or a pattern
              operationId: setPatternSchedule
              requestBody:
                required: true
                content: {application/json: {schema: {$ref: '#/components/schemas/Schedule'}}}
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
            delete:
              summary: Remove a schedule
              operationId: removePatternSchedule
              responses:
                '204': {description: Removed}
                default: {$ref: '#/components/responses/Problem'}
          /v1/schedules/{pattern}/{name}/pause:
            parameters:
              - {name: pattern, in: path, required: true, schema: {type: string}}
              - {name: name, in: path, required: true, schema: {type: string}}
            post:
              summary: Keep a schedule but do not run it
              operationId: pausePatternSchedule
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
          /v1/schedules/{pattern}/{name}/resume:
            parameters:
              - {name: pattern, in: path, required: true, schema: {type: string}}
              - {name: name, in: path, required: true, schema: {type: string}}
            post:
              summary: Run a paused schedule again
              operationId: resumePatternSchedule
              responses:
                '200': {description: The schedule as it stands now}
                default: {$ref: '#/components/responses/Problem'}
          /v1/jobs:
            get:
              summary: List maintenance jobs, newest first
              operationId: listJobs
              parameters:
                - {name: table, in: query, schema: {type: string}}
                - {name: kind, in: query, schema: {type: string, enum: [compact, expire, manifests, clean]}}
                - {name: state, in: query, schema: {type: string, enum: [planned, running, done, failed, cancelled]}}
                - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 10000, default: 100}}
              responses:
                '200': {description: Jobs with their figures}
                default: {$ref: '#/components/responses/Problem'}
          /v1/jobs/{id}:
            parameters: [{name: id, in: path, required: true, schema: {type: string}}]
            get:
              summary: Show a job
              operationId: showJob
              responses:
                '200': {description: 'The job, its figures, and the report of its last run'}
                default: {$ref: '#/components/responses/Problem'}
            delete:
              summary: Cancel a job
              operationId: cancelJob
              responses:
                '200': {description: Cancelled}
                '202': {description: The job stops at its next checkpoint}
                default: {$ref: '#/components/responses/Problem'}
          /v1/jobs/{id}/cancel:
            parameters: [{name: id, in: path, required: true, schema: {type: string}}]
            post:
              summary: Cancel a job
              operationId: cancelJobByPost
              responses:
                '200': {description: Cancelled}
                '202': {description: The job stops at its next checkpoint}
                default: {$ref: '#/components/responses/Problem'}
          /v1/query:
            post:
              summary: Query with SQL
              description: Reads everything acknowledged before the request. The Accept header chooses the form of the answer. An error after its first bytes breaks the answer off without the end of its body. A client that closes its connection ends its query.
              operationId: query
              requestBody:
                required: true
                content:
                  application/json:
                    schema:
                      type: object
                      additionalProperties: false
                      required: [sql]
                      properties:
                        sql: {type: string}
                        limit: {type: integer, minimum: 0, description: Rows after which the answer ends}
                        timeout-ms: {type: integer, minimum: 1, maximum: 300000, default: 300000}
                  text/plain: {schema: {type: string}}
              responses:
                '200':
                  description: Rows, streamed
                  headers:
                    Firn-Columns: {description: 'Names and Iceberg types of the columns, as a JSON array in ASCII; missing when it would be long', schema: {type: string}}
                  content:
                    application/x-ndjson: {schema: {type: string}}
                    application/json: {schema: {type: array, items: {type: object}}}
                    text/csv: {schema: {type: string}}
                    text/markdown: {schema: {type: string}}
                    text/plain: {schema: {type: string}}
                    application/vnd.apache.arrow.stream: {schema: {type: string, format: binary}}
                    application/vnd.apache.arrow.file: {schema: {type: string, format: binary}}
                    application/vnd.apache.parquet: {schema: {type: string, format: binary}}
                '429': {description: As many queries run and wait as may; Retry-After says when to ask again, content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}}
                default: {$ref: '#/components/responses/Problem'}
          /metrics:
            get: {summary: Figures in Prometheus text format, operationId: metrics, responses: {'200': {description: Metrics}}}
          /healthz:
            get: {summary: The process is alive, operationId: healthz, responses: {'200': {description: Alive}}}
          /readyz:
            get: {summary: Requests will be served, operationId: readyz, responses: {'200': {description: Ready}, '503': {description: 'A batch sent now would not land; "check" names the cause: shutdown, catalog, log or directory', content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}}}}

        """#
}
