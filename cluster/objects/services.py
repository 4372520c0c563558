"""Services and the EndpointSlices that belong to them."""

SERVICE_NAME = "kubernetes.io/service-name"  # The label of an EndpointSlice that names its Service.
