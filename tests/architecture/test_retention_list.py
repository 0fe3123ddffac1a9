"""Somebody has decided for every table how long its rows are kept."""

from gateway.retention import RETENTION
from gateway.settings import RetentionSettings
from models import Base


def test_every_table_is_on_the_retention_list() -> None:
    assert set(RETENTION) == set(Base.metadata.tables)


def test_every_limited_table_names_a_setting_and_a_column_that_exist() -> None:
    for table, kept in RETENTION.items():
        if kept is not None:
            assert kept.setting in RetentionSettings.model_fields, table
            assert kept.column in Base.metadata.tables[table].columns, table
