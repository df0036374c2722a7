# Who may do what: no more than each program needs. Access to secrets is in secrets.tf, of builds in build.tf.
# The extract has no right in BigQuery, the load none on a secret, the schedule none but to start the orchestrator.

# Batches, checkpoints, reports, the lease, the pipeline file.
resource "google_storage_bucket_iam_member" "program" {
  for_each = local.programs

  bucket = google_storage_bucket.landing.name
  role   = "roles/storage.objectUser"
  member = local.member[each.key]
}

# BigQuery looks at the bucket in the name of who loads from it.
resource "google_storage_bucket_iam_member" "load_reads_bucket" {
  bucket = google_storage_bucket.landing.name
  role   = "roles/storage.legacyBucketReader"
  member = local.member["load"]
}

resource "google_project_iam_member" "load_runs_jobs" {
  for_each = var.warehouse_projects

  project = each.key
  role    = "roles/bigquery.jobUser"
  member  = local.member["load"]
}

# A load looks for the statement that wrote into a table last, which may have been run by another account: a person's first try, or the load's
# former account. BigQuery shows a job to whoever ran it, and to holders of this permission; no predefined role has it alone.
resource "google_project_iam_custom_role" "job_viewer" {
  for_each = var.warehouse_projects

  project     = each.key
  role_id     = "drayage_job_viewer"
  title       = "Drayage job viewer"
  description = "Sees whether a BigQuery job has ended"
  permissions = ["bigquery.jobs.get"]
}

resource "google_project_iam_member" "load_sees_jobs" {
  for_each = google_project_iam_custom_role.job_viewer

  project = each.key
  role    = each.value.id
  member  = local.member["load"]
}

resource "google_bigquery_dataset_iam_member" "load_writes" {
  for_each = local.datasets

  project    = each.value.project
  dataset_id = var.create_datasets ? google_bigquery_dataset.warehouse[each.key].dataset_id : each.value.name
  role       = "roles/bigquery.dataEditor"
  member     = local.member["load"]
}

# `bigquery.user` may create datasets, and becomes the owner of those it creates.
resource "google_project_iam_member" "load_creates_datasets" {
  for_each = var.load_may_create_datasets ? var.warehouse_projects : {}

  project = each.key
  role    = "roles/bigquery.user"
  member  = local.member["load"]
}

# The orchestrator starts the two jobs with arguments of its own, watches and cancels them.
resource "google_cloud_run_v2_job_iam_member" "orchestrator_starts" {
  for_each = { for name, job in google_cloud_run_v2_job.program : name => job if name != "orchestrator" }

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = local.member["orchestrator"]
}

resource "google_cloud_run_v2_job_iam_member" "orchestrator_watches" {
  for_each = { for name, job in google_cloud_run_v2_job.program : name => job if name != "orchestrator" }

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.viewer"
  member   = local.member["orchestrator"]
}

resource "google_cloud_run_v2_job_iam_member" "scheduler_starts" {
  for_each = { for name, job in google_cloud_run_v2_job.program : name => job if name == "orchestrator" }

  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.scheduler.email}"
}
