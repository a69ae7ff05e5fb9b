"""The calls of the catalog service."""

from __future__ import annotations

from tracker.pb import catalog_pb

from .rpc import Rpc, methods_of

_METHODS = methods_of(catalog_pb.desc())

CREATE_UPDATE_CATALOG = Rpc(
    _METHODS["CreateUpdateCatalog"],
    catalog_pb.CreateUpdateCatalogRequest,
    catalog_pb.CreateUpdateCatalogResponse,
    repeatable=True,
)
GET_CATALOG = Rpc(_METHODS["GetCatalog"], catalog_pb.GetCatalogRequest, catalog_pb.GetCatalogResponse)
DELETE_CATALOG = Rpc(
    _METHODS["DeleteCatalog"], catalog_pb.DeleteCatalogRequest, catalog_pb.DeleteCatalogResponse
)
LIST_CATALOGS = Rpc(_METHODS["ListCatalogs"], catalog_pb.ListCatalogsRequest, catalog_pb.ListCatalogsResponse)
GET_VERSION_COMPLIANCE = Rpc(
    _METHODS["GetVersionCompliance"],
    catalog_pb.GetVersionComplianceRequest,
    catalog_pb.GetVersionComplianceResponse,
)
UPDATE_VERSIONS = Rpc(
    _METHODS["UpdateVersions"],
    catalog_pb.UpdateVersionsRequest,
    catalog_pb.UpdateVersionsResponse,
    repeatable=True,
)
UPDATE_DEPENDENCIES = Rpc(
    _METHODS["UpdateDependencies"],
    catalog_pb.UpdateDependenciesRequest,
    catalog_pb.UpdateDependenciesResponse,
    repeatable=True,
)
