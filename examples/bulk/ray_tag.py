"""Entities of a folder of Parquet files with Ray Data: python ray_tag.py BUNDLE TEXTS RESULTS --address auto

Every node reads BUNDLE at the same path, and has edgener-runtime[cpu,bulk]. Ray starts a worker that dies again, and
repeats the batches that it had not finished.
"""

from __future__ import annotations

import argparse

import ray

from edgener_runtime.bulk import BatchTagger


def main() -> None:
    """Tag with workers of one CPU each; each loads the bundle once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="path, the same on every node")
    parser.add_argument("texts", help="folder of Parquet files")
    parser.add_argument("results", help="folder for Parquet files")
    parser.add_argument("--address", help="of the cluster [default: a new one on this machine]")
    parser.add_argument("--text-column", default="text")
    parser.add_argument("--variant", default="auto", help="of the bundle")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    ray.init(address=options.address, log_to_driver=False)
    texts = ray.data.read_parquet(options.texts)
    tagged = texts.map_batches(
        BatchTagger,
        fn_constructor_kwargs={
            "bundle": options.bundle, "text_column": options.text_column, "variant": options.variant,
        },
        batch_size=512, batch_format="pyarrow", concurrency=options.workers, num_cpus=1,
    )  # fmt: skip
    tagged.write_parquet(options.results)
    print(f"{options.results}: {ray.data.read_parquet(options.results).count()} rows")  # noqa: T201


if __name__ == "__main__":
    main()
