SELECT count(*) <> count(DISTINCT (_etl_account{% for key in keys %}, {{ key | id }}{% endfor %})) FROM temp.staging
