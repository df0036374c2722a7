-- Rows that the records to come could not be matched with: of this account, or of none yet.
SELECT COALESCE(SUM(IF(rows_of > 1 OR is_null, rows_of, 0)), 0)
FROM (
    SELECT
        COUNT(*) AS rows_of,
        LOGICAL_OR({% for key in keys %}_etl_t.{{ key | id }} IS NULL{% if not loop.last %} OR {% endif %}{% endfor %}) AS is_null
    FROM {{ target | path }} AS _etl_t
{% if has_account %}
    WHERE COALESCE(_etl_t._etl_account, @account) = @account
{% endif %}
    GROUP BY {% for key in keys %}TO_JSON_STRING(_etl_t.{{ key | id }}){% if not loop.last %}, {% endif %}{% endfor %}

)
