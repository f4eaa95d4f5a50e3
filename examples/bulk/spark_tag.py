"""Entities of a folder of Parquet files with Spark: spark-submit spark_tag.py BUNDLE TEXTS RESULTS

Every executor reads BUNDLE at the same path, and has edgener-runtime[cpu,bulk] and pandas.
"""

from __future__ import annotations

import argparse

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from edgener_runtime.bulk import BatchTagger


def main() -> None:
    """Tag with mapInPandas; each Python worker of Spark loads the bundle once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="path, the same on every executor")
    parser.add_argument("texts", help="folder of Parquet files")
    parser.add_argument("results", help="folder for Parquet files")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--variant", default="auto", help="of the bundle")
    options = parser.parse_args()

    session = SparkSession.builder.appName("edgener").getOrCreate()
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "512")
    texts = session.read.parquet(options.texts)
    tagger = BatchTagger(options.bundle, options.text_column, variant=options.variant)
    schema = StructType([*texts.schema.fields, *StructType.fromDDL(tagger.ddl).fields])
    tagged = texts.mapInPandas(tagger.map, schema)
    tagged.write.parquet(options.results)
    print(f"{options.results}: {session.read.parquet(options.results).count()} rows")  # noqa: T201
    session.stop()


if __name__ == "__main__":
    main()
