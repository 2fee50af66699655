//! Dates, times and timestamps as PostgreSQL reads and writes them.
