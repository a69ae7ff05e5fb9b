{{/* The pod, the same with both stores. */}}
{{- define "tracker.pod" -}}
metadata:
  labels:
    {{- include "tracker.labels" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Longer than SHUTDOWN_DRAIN and SHUTDOWN_GRACE together.
  terminationGracePeriodSeconds: {{ add 35 (.Values.settings.SHUTDOWN_DRAIN | default 0 | int) (.Values.settings.SHUTDOWN_GRACE | default 0 | int) }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if .Values.mongodb.enabled }}
  topologySpreadConstraints:
    - topologyKey: kubernetes.io/hostname
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "tracker.selector" . | nindent 10 }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: tracker
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: ["serv"]
      env:
        {{- range $name, $value := .Values.settings }}
        - name: {{ $name }}
          {{- /* Numbers of a file of values are floats, and large ones would be written like 1e+06. */}}
          value: {{ if and (kindIs "float64" $value) (eq $value (floor $value)) }}{{ int64 $value | quote }}{{ else }}{{ $value | quote }}{{ end }}
        {{- end }}
        - name: ALLOWED_HOSTS
          value: {{ include "tracker.hosts" . | quote }}
        {{- if .Values.mongodb.enabled }}
        - name: MONGO_URI
          valueFrom:
            secretKeyRef:
              name: {{ .Values.mongodb.existingSecret }}
              key: {{ .Values.mongodb.key }}
        {{- else }}
        - name: DATABASE_PATH
          value: /data/tracker.db
        {{- end }}
        {{- if .Values.tls.existingSecret }}
        - name: TLS_CERT
          value: /tls/tls.crt
        - name: TLS_KEY
          value: /tls/tls.key
        {{- end }}
      {{- with .Values.settingsSecret }}
      envFrom:
        - secretRef:
            name: {{ . }}
      {{- end }}
      ports:
        - name: grpc
          containerPort: 8765
        - name: http
          containerPort: 8080
        - name: metrics
          containerPort: 8081
      # Started when gRPC answers, ready while REST says so: between them they ask both wires.
      startupProbe:
        {{- if .Values.tls.existingSecret }}
        # The kubelet asks gRPC without TLS alone.
        tcpSocket:
          port: grpc
        {{- else }}
        grpc:
          port: 8765
        {{- end }}
        periodSeconds: 1
        failureThreshold: 120
      {{- /* Only the port of metrics lets in whoever has no certificate. */}}
      {{- $probed := empty .Values.settings.TLS_CLIENT_CA | ternary "http" "metrics" }}
      readinessProbe:
        httpGet:
          path: /readyz
          port: {{ $probed }}
          scheme: {{ empty .Values.tls.existingSecret | ternary "HTTP" "HTTPS" }}
        periodSeconds: 5
        # With MongoDB, longer than a server waits for a primary of the database.
        timeoutSeconds: {{ .Values.mongodb.enabled | ternary 5 3 }}
        failureThreshold: 2
      livenessProbe:
        httpGet:
          path: /livez
          port: {{ $probed }}
          scheme: {{ empty .Values.tls.existingSecret | ternary "HTTP" "HTTPS" }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      {{- if or (not .Values.mongodb.enabled) .Values.tls.existingSecret .Values.extraVolumeMounts }}
      volumeMounts:
        {{- if not .Values.mongodb.enabled }}
        - name: data
          mountPath: /data
        {{- end }}
        {{- if .Values.tls.existingSecret }}
        - name: tls
          mountPath: /tls
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $claim := and (not .Values.mongodb.enabled) .Values.persistence.existingClaim }}
  {{- if or $claim .Values.tls.existingSecret .Values.extraVolumes }}
  volumes:
    {{- if $claim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- end }}
    {{- with .Values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
