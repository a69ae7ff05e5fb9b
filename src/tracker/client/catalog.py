"""The calls of the catalog service."""

from __future__ import annotations

from tracker.pb import catalog_pb as pb

from .rpc import Rpc

CREATE_UPDATE_CATALOG = Rpc(pb.CreateUpdateCatalogRequest, pb.CreateUpdateCatalogResponse)
DELETE_CATALOG = Rpc(pb.DeleteCatalogRequest, pb.DeleteCatalogResponse)
GET_CATALOG = Rpc(pb.GetCatalogRequest, pb.GetCatalogResponse)
GET_VERSION_COMPLIANCE = Rpc(pb.GetVersionComplianceRequest, pb.GetVersionComplianceResponse)
LIST_CATALOGS = Rpc(pb.ListCatalogsRequest, pb.ListCatalogsResponse)
UPDATE_DEPENDENCIES = Rpc(pb.UpdateDependenciesRequest, pb.UpdateDependenciesResponse)
UPDATE_VERSIONS = Rpc(pb.UpdateVersionsRequest, pb.UpdateVersionsResponse)
