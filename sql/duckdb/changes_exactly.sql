-- A column may change its type where each of its values can be changed back.
SELECT count(*) = 0
FROM {{ schema | id }}.{{ table | id }}
WHERE {{ column | id }} IS NOT NULL
    AND (
        ({{ changed }}) IS NULL
        OR {% if micros %}CAST(epoch_us({{ changed }}) // {{ micros }} AS {{ from }}){% elif to == "JSON" %}{{ column | id }}{% else %}TRY_CAST(({{ changed }}) AS {{ from }}){% endif %} IS DISTINCT FROM {{ column | id }}
    )
