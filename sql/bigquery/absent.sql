-- The live rows that the change set would mark as deleted, each as the JSON list of its account and its key.
SELECT TO_JSON_STRING([_etl_account{% for key in keys %}, CAST(key_{{ loop.index0 }} AS STRING){% endfor %}])
FROM {{ changes | path }}
WHERE _etl_action = 'DELETE'
