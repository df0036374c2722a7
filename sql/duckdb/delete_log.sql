-- Rows of an earlier attempt give way, but for those that tell what happened: a repeated load that changes nothing leaves the first load's row.
DELETE FROM {{ log_schema | id }}.etl_logs AS l
USING (SELECT unnest(from_json(?, {{ structure | lit }})) AS r) AS n
WHERE l.run_id = n.r.run_id AND l.stage = n.r.stage AND l.source = n.r.source AND l.account = n.r.account AND l.stream = n.r.stream
  AND NOT (n.r.tells_less AND l.status = 'done')
