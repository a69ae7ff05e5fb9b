// A step of a shared library: a deployment recorded in Tracker, under the lock of its service and environment.
//
//   trackerDeployment(server: 'https://tracker.example.com', service: 'shop', version: '1.4.2', credentials: 'tracker') {
//     sh './deploy.sh'
//   }
//
// `credentials` is a secret text with a token of Tracker.
def call(Map settings, Closure deploy) {
  withCredentials([string(credentialsId: settings.credentials ?: 'tracker', variable: 'TRACKER_TOKEN')]) {
    withEnv([
      "TRACKER_SERVER=${settings.server}",
      "SERVICE=${settings.service}",
      "ENVIRONMENT=${settings.environment ?: 'production'}",
      "VERSION=${settings.version ?: env.GIT_COMMIT ?: ''}",
    ]) {
      def id = sh(returnStdout: true, label: 'Tracker: start', script: '''
        tracker event create "Deploy $SERVICE $VERSION" --type deployment --status start \
          --service "$SERVICE" --environment "$ENVIRONMENT" --version "$VERSION" \
          --source jenkins --external-id "$BUILD_TAG:$SERVICE:$ENVIRONMENT" \
          --label "sha=${GIT_COMMIT:-}" --message "$BUILD_URL"
      ''').trim()
      def status = 'failure'
      try {
        deploy()
        status = 'success'
      } finally {
        withEnv(["TRACKER_EVENT_ID=${id}", "STATUS=${status}"]) {
          sh(label: 'Tracker: finish', script: '''
            tracker event finish "$TRACKER_EVENT_ID" --status "$STATUS"
          ''')
        }
      }
    }
  }
}
