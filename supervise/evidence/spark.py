"""The engine for records that outgrow one machine; loaded only where ``EVIDENCE_ENGINE=spark`` asks for it."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from supervise.evidence.engine import Files, RecordQuery, Rows


@dataclass(eq=False)
class SparkEngine:
    """Spark, on the cluster that *master* names (``local[2]``: in a JVM beside this process)."""

    master: str = "local[2]"
    name: str = field(default="spark", init=False)

    @functools.cached_property
    def _session(self) -> SparkSession:
        builder = SparkSession.builder.appName("supervise").master(self.master)
        settings = {
            # The same moments as everywhere else, and rows as Arrow both ways.
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.execution.arrow.pyspark.enabled": "true",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "8",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }
        for key, value in settings.items():
            builder = builder.config(key, value)
        return builder.getOrCreate()

    def run(self, query: RecordQuery, tables: Mapping[str, Rows]) -> pa.Table:
        """Return the answer, with ``query.schema``."""
        return self._frame(query, tables).toArrow().cast(query.schema)

    def plan(self, query: RecordQuery, tables: Mapping[str, Rows]) -> str:
        """Return the formatted physical plan."""
        frame = self._frame(query, tables)
        rows = frame.sparkSession.sql(f"EXPLAIN FORMATTED {query.sql('pyspark')}").collect()
        return "\n".join(row[0] for row in rows)

    def stop(self) -> None:
        """End the JVM; a later question starts another."""
        self._session.stop()
        del self._session

    def _frame(self, query: RecordQuery, tables: Mapping[str, Rows]) -> DataFrame:
        # Temporary views of its own: two requests do not see each other's tables.
        session = self._session.newSession()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        for name, rows in tables.items():
            _as_frame(session, rows).createOrReplaceTempView(name)
        return session.sql(query.sql("pyspark"))


def _as_frame(session: SparkSession, rows: Rows) -> DataFrame:
    if isinstance(rows, Files):
        if rows.paths:
            frame = session.read.parquet(*rows.paths)
            return frame if rows.wanted is None else frame.filter(frame[rows.wanted.column].isin(*rows.wanted.values))
        rows = rows.schema.empty_table()
    return session.createDataFrame(rows)
