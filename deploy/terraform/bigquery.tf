# The datasets in each warehouse project: tables, staging, logs.
# Datasets with tables in them are not destroyed.

resource "google_bigquery_dataset" "warehouse" {
  for_each = { for key, dataset in local.datasets : key => dataset if var.create_datasets }

  project    = each.value.project
  dataset_id = each.value.name
  location   = var.location
  labels     = var.labels

  description = {
    tables  = "Tables that Drayage loads."
    staging = "Drayage's staging tables; they expire by themselves."
    logs    = "Drayage's logs: what each run did, and how tables changed."
  }[each.value.role]

  # The load drops its staging tables; this is for one that was killed.
  default_table_expiration_ms = each.value.role == "staging" ? var.staging_hours * 60 * 60 * 1000 : null
  delete_contents_on_destroy  = false

  depends_on = [google_project_service.bigquery]
}
