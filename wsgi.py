"""What a server imports: the application, on a database that is at this version's schema."""

import sys

from supervise.app import create_app
from supervise.config import ConfigError
from supervise.db import Database
from supervise.schema import SchemaError, refuse_wrong_schema

try:
    app = create_app()
    database: Database = app.extensions["supervise.db"]
    refuse_wrong_schema(database)
except (ConfigError, SchemaError) as error:
    sys.exit(f"supervise: {error}")
