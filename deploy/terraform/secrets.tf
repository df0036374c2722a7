# Containers of secrets. Their values are added by hand (gcloud secrets versions add) and are never in the state.

resource "google_secret_manager_secret" "main" {
  for_each = local.known_secrets

  secret_id = each.value
  labels    = var.labels

  replication {
    auto {}
  }

  depends_on = [google_project_service.main]
}

resource "google_secret_manager_secret_iam_member" "extract" {
  for_each = var.api_secrets

  secret_id = google_secret_manager_secret.main[each.value].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member["extract"]
}

resource "google_secret_manager_secret_iam_member" "orchestrator" {
  count = var.slack_webhook_secret == null ? 0 : 1

  secret_id = google_secret_manager_secret.main[var.slack_webhook_secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.member["orchestrator"]
}
