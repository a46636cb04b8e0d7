"""Somebody whom no trigger stops."""

from typing import Any

import sqlalchemy as sa

from supervise.db import Database

TABLES = ("account", "period", "period_reopening", "journal_entry", "posting", "seal", "seal_entry")


class Owner:
    """Somebody with all rights on the database, who has switched every protection off."""

    def __init__(self, database: Database, tables: tuple[str, ...] = TABLES) -> None:
        self.database = database
        self.tables = tables
        if database.dialect == "sqlite":
            self._open_sqlite()
        else:
            self._open_postgresql()

    def _open_sqlite(self) -> None:
        triggers = self.rows("SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE%'")
        for (name,) in triggers:
            self.run(f"DROP TRIGGER {name}")

    def _open_postgresql(self) -> None:
        for table in self.tables:
            self.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        kinds = "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('c', 'f')"
        for table, name in self.rows(kinds):
            if table in self.tables:
                self.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")

    def run(self, statement: str, *values: Any) -> None:
        """Execute and commit."""
        connection = self.database.engine.raw_connection()
        try:
            cursor = connection.cursor()
            if self.database.dialect == "sqlite":
                for pragma in ("foreign_keys = 0", "ignore_check_constraints = 1"):
                    cursor.execute(f"PRAGMA {pragma}")
                cursor.execute(statement, values)
                for pragma in ("foreign_keys = 1", "ignore_check_constraints = 0"):
                    cursor.execute(f"PRAGMA {pragma}")
            else:
                cursor.execute(statement.replace("?", "%s"), values)
            connection.commit()
        finally:
            connection.close()

    def rows(self, query: str) -> list[Any]:
        with self.database.engine.connect() as connection:
            return list(connection.exec_driver_sql(query))

    def first(self, table: str) -> dict[str, Any]:
        """Return the first row of *table* as the driver gives it."""
        key = sa.inspect(self.database.engine).get_pk_constraint(table)["constrained_columns"]
        with self.database.engine.connect() as connection:
            row = (
                connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY {', '.join(key)} LIMIT 1").mappings().one()
            )
        return dict(row)

    def change(self, table: str, row: dict[str, Any], column: str, value: object) -> dict[str, Any]:
        """Set *column* of *row*, found by its primary key, and return the row as it is then."""
        key = sa.inspect(self.database.engine).get_pk_constraint(table)["constrained_columns"]
        where = " AND ".join(f"{name} = ?" for name in key)
        self.run(f"UPDATE {table} SET {column} = ? WHERE {where}", value, *(row[name] for name in key))
        return {**row, column: value}
