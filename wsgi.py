"""What a server imports: the application, on a database of this version's schema and of these keys."""

import sys

from sqlalchemy.exc import SQLAlchemyError

from supervise.app import create_app, refuse_unfit_database
from supervise.config import ConfigError, first_line
from supervise.schema import SchemaError

try:
    app = create_app()
    refuse_unfit_database(app)
except (ConfigError, SchemaError) as error:
    sys.exit(f"supervise: {error}")
except SQLAlchemyError as error:
    sys.exit(f"supervise: the database cannot be used: {first_line(error)}")
