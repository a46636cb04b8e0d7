"""Users, roles and permissions, sessions, deputies: who may call which function."""
