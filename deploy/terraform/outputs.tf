# What the commands in docs/google-cloud.md and the pipeline file need.

output "landing" {
  description = "The landing zone: `landing` in the pipeline file."
  value       = local.landing_uri
}

output "pipeline" {
  description = "Where the programs read the pipeline file."
  value       = local.pipeline_uri
}

output "build_sources" {
  description = "For gcloud builds submit --gcs-source-staging-dir."
  value       = "gs://${google_storage_bucket.build.name}/source"
}

output "image" {
  description = "The image that Cloud Build pushes: the variable `image` of the second apply."
  value       = "${var.region}-docker.pkg.dev/${var.project_id}/${google_artifact_registry_repository.images.repository_id}/drayage:latest"
}

output "jobs" {
  description = "The Cloud Run jobs, once there is an image."
  value       = { for name, job in google_cloud_run_v2_job.program : name => job.name }
}

output "service_accounts" {
  description = "The accounts of the programs, for access to resources that are not managed here."
  value       = { for name, account in google_service_account.program : name => account.email }
}
