"""Runs inside an engine's own Python environment: Python code comes in as lines of JSON, results go out as such.

The first argument is the engine: `spark` (Apache Spark with Iceberg's Java library) or `sail` (Spark Connect).
"""

import json
import os
import sys
import traceback


def spark_session():
    from pathlib import Path

    import pyspark
    from pyspark.sql import SparkSession

    packages = Path(pyspark.__file__).parents[1]
    jar = next(packages.rglob("iceberg-spark-runtime-*_2.12-*.jar"))
    # The catalog's name is the server's port, so that one session serves every test's server.
    return (
        SparkSession.builder.master("local[2]")
        .appName("firn-tests")
        .config("spark.jars", str(jar))
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .getOrCreate()
    )


def sail_session():
    from pysail.spark import SparkConnectServer
    from pyspark.sql import SparkSession

    server = SparkConnectServer(port=0)
    server.start(background=True)
    _, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    # The server ends with the object.
    session._firn_server = server
    return session


def main():
    # Whatever the engine prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spark = {"spark": spark_session, "sail": sail_session}[sys.argv[1]]()

    def sql(text):
        return [list(row) for row in spark.sql(text).collect()]

    scope = {"spark": spark, "sql": sql}
    print(json.dumps({"result": "ready"}), file=answers, flush=True)
    for line in sys.stdin:
        scope["result"] = None
        try:
            exec(json.loads(line), scope)
            answer = {"result": scope["result"]}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        print(json.dumps(answer, default=str), file=answers, flush=True)


if __name__ == "__main__":
    main()
