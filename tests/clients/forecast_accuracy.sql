-- What a user's migration looks like, sent as one file; then rows, another index, and a refresh of each aggregate.
\ir ../../bench/seeds/forecast_accuracy.sql

CREATE INDEX deviations_site ON deviations (site_id, timestamp DESC);

INSERT INTO deviations
SELECT timestamptz '2026-01-01 00:00Z' + hour * interval '1 hour', site, 1, 1, 6, 10 + site, 10, site - 2.5
FROM generate_series(0, 24 * 90 - 1) AS hours (hour), generate_series(1, 4) AS sites (site);

CALL refresh_continuous_aggregate('daily_accuracy_metrics', NULL, NULL);
CALL refresh_continuous_aggregate('weekly_accuracy_metrics', NULL, NULL);
CALL refresh_continuous_aggregate('monthly_accuracy_metrics', '2026-01-01', '2026-04-01');
