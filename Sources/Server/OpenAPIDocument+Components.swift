extension OpenAPIDocument {
    /// What the paths refer to.
    static let components = #"""
        components:
          parameters:
            namespace: {name: namespace, in: path, required: true, description: Levels separated by dots, schema: {type: string}}
            table: {name: table, in: path, required: true, schema: {type: string}}
            letterCode: {name: code, in: query, description: 'Rejection codes, separated by commas', schema: {type: string}}
            letterColumn: {name: column, in: query, description: Dotted path of the column at fault, schema: {type: string}}
            fromPosition: {name: from-position, in: query, description: Lowest log position, schema: {type: integer}}
            toPosition: {name: to-position, in: query, description: Highest log position, schema: {type: integer}}
            icebergNamespace: {name: namespace, in: path, required: true, description: Levels joined by U+001F, schema: {type: string, minLength: 1}}
            icebergTable: {name: table, in: path, required: true, schema: {type: string, minLength: 1}}
            icebergView: {name: view, in: path, required: true, schema: {type: string, minLength: 1}}
            icebergPlan: {name: plan-id, in: path, required: true, schema: {type: string, minLength: 1}}
            icebergPageToken: {name: pageToken, in: query, description: Asks for a page; empty for the first, schema: {type: string}}
            icebergPageSize: {name: pageSize, in: query, description: Names in a page, schema: {type: integer, minimum: 1}}
            icebergKey: {name: Idempotency-Key, in: header, description: Makes it safe to send the request again, schema: {type: string, minLength: 1, maxLength: 255}}
          responses:
            Problem:
              description: What went wrong (RFC 9457), with a stable code
              content: {application/problem+json: {schema: {$ref: '#/components/schemas/Problem'}}}
            IcebergRefused: {description: The request cannot be carried out as it is, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergError'}}}}
            IcebergNotFound: {description: There is no such thing, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergError'}}}}
            IcebergConflict: {description: It exists already or was changed meanwhile; nothing happened, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergError'}}}}
            IcebergUnknown: {description: 'Nobody knows whether it happened: load and look', content: {application/json: {schema: {$ref: '#/components/schemas/IcebergError'}}}}
            IcebergBusy: {description: Too much at once; try again after Retry-After, content: {application/json: {schema: {$ref: '#/components/schemas/IcebergError'}}}}
          schemas:
            Schedule:
              type: object
              description: One of `every`, `cron` and `on`.
              properties:
                every: {type: string, examples: [30s, 5m, 1h30m]}
                cron: {type: string, examples: ['*/5 * * * *', '@daily']}
                'on': {type: string, enum: [commit]}
                action: {type: string, enum: [compact, expire, manifests, clean], default: compact}
                zone: {type: string, default: UTC, examples: [Europe/Berlin]}
                window: {type: string, examples: ['01:00-05:00', '22:00-04:00']}
                concurrency: {type: integer, minimum: 1, maximum: 64}
                bytes-per-hour: {type: string, examples: [20GiB]}
                cpu-share: {type: string, examples: ['50%']}
                options: {type: object, additionalProperties: {type: string}, examples: [{write.target-file-size-bytes: '134217728'}]}
                paused: {type: boolean, default: false}
            Health:
              type: object
              description: How the table's files are; at most ten seconds old.
              properties:
                status: {type: string, enum: [empty, failing, backlog, deletes, compacting soon, fragmented, healthy]}
                reason: {type: string}
                partitions: {type: integer}
                data-files: {type: integer}
                bytes: {type: integer}
                small-files: {type: integer}
                small-bytes: {type: integer}
                small-file-ratio: {type: number}
                files-with-deletes: {type: integer}
                files-per-partition-median: {type: integer}
                files-per-partition-max: {type: integer}
                partitions-over-bound: {type: integer}
                target-bytes: {type: integer}
                flush-bytes: {type: integer}
                files-allowed-beyond-full: {type: integer}
                write-amplification: {type: [number, 'null']}
                write-amplification-bound: {type: number}
                backlog-files: {type: integer}
                backlog-bytes: {type: integer}
                last-run-ms: {type: [integer, 'null']}
                failures: {type: integer}
            Problem:
              type: object
              required: [status, code, detail]
              properties:
                status: {type: integer}
                code: {type: string}
                detail: {type: string}
                rejected: {type: array, items: {$ref: '#/components/schemas/Rejection'}}
            Rejection:
              type: object
              required: [line, code, message]
              properties:
                line: {type: integer, description: 'Line of an NDJSON or CSV body, or number of the record, from 1'}
                column: {type: string, description: Dotted path}
                code: {type: string}
                message: {type: string}
            IngestAnswer:
              type: object
              required: [accepted, rejected, duplicate, state, position]
              properties:
                accepted: {type: integer}
                rejected: {type: array, items: {$ref: '#/components/schemas/Rejection'}}
                rejected-count: {type: integer, description: Present when more were rejected than are listed}
                duplicate: {type: boolean}
                state: {enum: [durable, committed]}
                dead-lettered: {type: integer, description: 'Of the rejected records, those that the dead letters took'}
                position: {type: integer, description: Position in the log}
                snapshot-id: {type: integer}
                tables: {type: object, description: 'The same by table, for a request for several'}
            RedriveReport:
              type: object
              required: [moved, still-rejected, reasons]
              properties:
                moved: {type: integer}
                still-rejected: {type: integer}
                reasons: {type: array, items: {$ref: '#/components/schemas/Rejection'}}
                snapshot-id: {type: [integer, 'null']}
            TableDefinition:
              type: object
              required: [namespace, name, schema]
              properties:
                namespace: {type: string}
                name: {type: string}
                schema:
                  description: >-
                    The short form ("id long required, ts timestamptz, n int default 0") or Iceberg's schema object. The
                    types variant, unknown, timestamp_ns and timestamptz_ns, and defaults, need format version 3; without it
                    the answer is 400 format_version.
                  oneOf: [{type: string}, {type: object}]
                partition: {type: string, examples: ['day(ts), country']}
                sort: {type: string, examples: ['ts desc']}
                identifier: {oneOf: [{type: string}, {type: array, items: {type: string}}]}
                properties:
                  description: Among them format-version, 2 (default) or 3
                  type: object
                  additionalProperties: {type: string}
                if-not-exists: {type: boolean, default: false}
            Table:
              type: object
              required: [namespace, name, location, metadata-location, schema, properties]
              properties:
                namespace: {type: string}
                name: {type: string}
                table-uuid: {type: string}
                format-version: {type: integer}
                location: {type: string}
                metadata-location: {type: string}
                schema: {type: object}
                partition: {type: array, items: {type: string}}
                properties: {type: object, additionalProperties: {type: string}}
                current-snapshot-id: {type: [integer, 'null']}
                snapshots: {type: integer}
                total-records: {type: integer}
                total-data-files: {type: integer}
                total-files-size: {type: integer}

        """#
}
