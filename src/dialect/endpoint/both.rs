//! The endpoints that both dialects have, under paths of their own: webhooks, the audit log, operations, how an organization's keys were used.

use super::{Endpoint, Operation, inside, ocore, ocriva, ocriva_inside};
use http::Method;

const HOOKS: &str = "/api/v1/organizations/{organizationId}/webhook-endpoints";
const HOOK: &str = "/api/v1/organizations/{organizationId}/webhook-endpoints/{endpointId}";
const HOOK_TEST: &str = "/api/v1/organizations/{organizationId}/webhook-endpoints/{endpointId}/test";
const DELIVERIES: &str = "/api/v1/organizations/{organizationId}/webhook-deliveries";
const DELIVERY: &str = "/api/v1/organizations/{organizationId}/webhook-deliveries/{deliveryId}";
const REPLAY: &str = "/api/v1/organizations/{organizationId}/webhook-deliveries/{deliveryId}/replay";
const OCORE_HOOKS: &str = "/api/webhook-endpoints";
const OCORE_HOOK: &str = "/api/webhook-endpoints/{endpointId}";
const OCORE_HOOK_TEST: &str = "/api/webhook-endpoints/{endpointId}/test";
const OCORE_DELIVERIES: &str = "/api/webhook-deliveries";
const OCORE_DELIVERY: &str = "/api/webhook-deliveries/{deliveryId}";
const OCORE_REPLAY: &str = "/api/webhook-deliveries/{deliveryId}/replay";
const AUDIT: &str = "/api/v1/organizations/{organizationId}/audit-logs";
const AUDIT_EXPORT: &str = "/api/v1/organizations/{organizationId}/audit-logs/export";
const OCORE_AUDIT: &str = "/api/audit-logs";
const OCORE_AUDIT_EXPORT: &str = "/api/audit-logs/export";
const OPERATIONS: &str = "/api/v1/organizations/{organizationId}/operations";
const OPERATION: &str = "/api/v1/organizations/{organizationId}/operations/{operationId}";
const RESULT: &str = "/api/v1/organizations/{organizationId}/operations/{operationId}/result";
const OCORE_OPERATIONS: &str = "/api/operations";
const OCORE_OPERATION: &str = "/api/operations/{operationId}";
const OCORE_RESULT: &str = "/api/operations/{operationId}/result";
const USAGE: &str = "/api/v1/organizations/{organizationId}/usage";
const OCORE_USAGE: &str = "/api/usage";

/// The endpoints.
pub static ENDPOINTS: [Endpoint; 34] = [
    ocriva(Method::POST, HOOKS, Operation::CreateWebhook),
    ocriva(Method::GET, HOOKS, Operation::ListWebhooks),
    ocriva(Method::GET, HOOK, Operation::ShowWebhook),
    ocriva(Method::PATCH, HOOK, Operation::UpdateWebhook),
    ocriva(Method::DELETE, HOOK, Operation::DeleteWebhook),
    ocriva(Method::POST, HOOK_TEST, Operation::TestWebhook),
    ocriva(Method::GET, DELIVERIES, Operation::ListDeliveries),
    ocriva(Method::GET, DELIVERY, Operation::ShowDelivery),
    ocriva(Method::POST, REPLAY, Operation::ReplayDelivery),
    inside(Method::POST, OCORE_HOOKS, Operation::CreateWebhook),
    inside(Method::GET, OCORE_HOOKS, Operation::ListWebhooks),
    inside(Method::GET, OCORE_HOOK, Operation::ShowWebhook),
    inside(Method::PATCH, OCORE_HOOK, Operation::UpdateWebhook),
    inside(Method::DELETE, OCORE_HOOK, Operation::DeleteWebhook),
    inside(Method::POST, OCORE_HOOK_TEST, Operation::TestWebhook),
    inside(Method::GET, OCORE_DELIVERIES, Operation::ListDeliveries),
    inside(Method::GET, OCORE_DELIVERY, Operation::ShowDelivery),
    inside(Method::POST, OCORE_REPLAY, Operation::ReplayDelivery),
    ocriva(Method::GET, AUDIT, Operation::ListAudit),
    ocriva(Method::GET, AUDIT_EXPORT, Operation::ExportAudit),
    inside(Method::GET, OCORE_AUDIT, Operation::ListAudit),
    inside(Method::GET, OCORE_AUDIT_EXPORT, Operation::ExportAudit),
    ocriva(Method::POST, OPERATIONS, Operation::StartOperation),
    ocriva(Method::GET, OPERATIONS, Operation::ListOperations),
    ocriva(Method::GET, OPERATION, Operation::ShowOperation),
    ocriva(Method::GET, RESULT, Operation::DownloadResult),
    ocriva(Method::POST, RESULT, Operation::CollectValues),
    ocore(Method::POST, OCORE_OPERATIONS, Operation::StartOperation),
    ocore(Method::GET, OCORE_OPERATIONS, Operation::ListOperations),
    ocore(Method::GET, OCORE_OPERATION, Operation::ShowOperation),
    ocore(Method::GET, OCORE_RESULT, Operation::DownloadResult),
    ocore(Method::POST, OCORE_RESULT, Operation::CollectValues),
    ocriva_inside(Method::GET, USAGE, Operation::ShowUsage),
    inside(Method::GET, OCORE_USAGE, Operation::ShowUsage),
];
