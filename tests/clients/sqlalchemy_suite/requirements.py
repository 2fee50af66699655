"""What SQLAlchemy's dialect suite is told about the database.

Everything that PostgreSQL 15 has is open, except for what Highwater refuses on purpose: see REFUSED.
"""

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

# What Highwater refuses: foreign keys, temporary tables, views that are filled once, times with a zone, comments on constraints,
# two-phase commit, and the levels of isolation, of which there is one.
REFUSED = """
    foreign_keys self_referential_foreign_keys foreign_key_constraint_reflection
    foreign_key_constraint_name_reflection cross_schema_fk_reflection on_update_cascade recursive_fk_cascade
    repeated_column_foreign_keys repeated_remote_col_foreign_keys
    foreign_key_constraint_option_reflection_ondelete foreign_key_constraint_option_reflection_onupdate
    fk_constraint_option_reflection_ondelete_restrict fk_constraint_option_reflection_onupdate_restrict
    temporary_tables temporary_views temp_table_reflection temp_table_reflect_indexes temp_table_names has_temp_table
    temp_table_comment_reflection create_temp_table_as
    two_phase_transactions isolation_level materialized_views time_timezone constraint_comment_reflection
""".split()

# What PostgreSQL 15 has and the suite takes for absent unless it is told.
OPEN = """
    create_table_as table_ddl_if_exists index_ddl_if_exists uuid_data_type
    unique_constraints_reflect_as_index boolean_col_expressions nullsordering standalone_binds intersect except_
    window_functions window_range window_range_numeric window_range_non_numeric ctes ctes_with_update_delete
    ctes_with_values ctes_on_dml tuple_in tuple_in_w_empty table_value_constructor views view_column_reflection view_reflection schema_reflection
    implicit_default_schema default_schema_name_switch reflects_pk_names reflect_tables_no_columns comment_reflection
    comment_reflection_full_unicode column_collation_reflection schema_create_delete
    create_or_replace_view index_reflects_included_columns indexes_with_expressions reflect_indexes_with_expressions
    inline_check_constraint_reflection check_constraint_reflection unicode_ddl datetime_interval datetime_literals
    datetime_timezone timestamp_microseconds datetime_historic datetime_timezone_historic date_historic
    autocommit skip_autocommit_rollback array_type json_type json_array_indexes precision_numerics_enotation_small
    precision_numerics_many_significant_digits server_defaults expression_server_defaults aggregate_order_by
    precision_numerics_retains_significant_digits infinity_floats float_or_double_precision_behaves_generically savepoints update_from
    delete_from mod_operator_as_percent_sign percent_schema_names order_by_label_with_expression computed_columns
    computed_columns_stored computed_columns_default_persisted computed_columns_reflect_persisted supports_distinct_on
    identity_columns identity_columns_standard regexp_match regexp_replace fetch_first fetch_no_order_by fetch_ties fetch_expression
    reflect_table_options json_deserializer_binary supports_bitwise_or supports_bitwise_and
    supports_bitwise_not supports_bitwise_xor supports_bitwise_shift
""".split()


class Requirements(SuiteRequirements):
    """PostgreSQL 15 without what is refused."""

    def get_order_by_collation(self, config):
        return "C"


def _set(names, state):
    for name in names:
        assert hasattr(SuiteRequirements, name), f"the suite knows no requirement {name}"
        setattr(Requirements, name, property(lambda self: state()))


_set(OPEN, exclusions.open)
_set(REFUSED, exclusions.closed)
