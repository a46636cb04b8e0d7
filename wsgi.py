"""What a server imports: the application, on a database of this version's schema and of these keys."""

import sys

from sqlalchemy.exc import SQLAlchemyError

from supervise.app import create_app
from supervise.complaints.subscribers import refuse_other_keys
from supervise.config import ConfigError
from supervise.db import Database
from supervise.schema import SchemaError, refuse_wrong_schema

try:
    app = create_app()
    database: Database = app.extensions["supervise.db"]
    refuse_wrong_schema(database)
    with database.session(writes=False) as session:
        refuse_other_keys(session, app.extensions["supervise.settings"].keyring)
except (ConfigError, SchemaError) as error:
    sys.exit(f"supervise: {error}")
except SQLAlchemyError as error:
    sys.exit(f"supervise: the database cannot be used: {str(error).splitlines()[0]}")
