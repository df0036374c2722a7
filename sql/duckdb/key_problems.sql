-- Rows that the records to come could not be matched with: of this account, or of none yet.
WITH this AS (SELECT ?::VARCHAR AS account),
rows_of AS (
    SELECT {% for key in keys %}t.{{ key | id }} IS NULL OR {% endfor %}count(*) OVER (PARTITION BY {% for key in keys %}t.{{ key | id }}{% if not loop.last %}, {% endif %}{% endfor %}) > 1 AS is_wrong
    FROM {{ schema | id }}.{{ table | id }} AS t, this
{% if has_account %}
    WHERE coalesce(t._etl_account, this.account) = this.account
{% endif %}
)
SELECT count(*)::UBIGINT FROM rows_of WHERE is_wrong
