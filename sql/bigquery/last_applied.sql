SELECT source, account, stream, MAX(run_id)
FROM {{ logs | path }}
WHERE stage = 'load' AND status = 'done'
GROUP BY source, account, stream
