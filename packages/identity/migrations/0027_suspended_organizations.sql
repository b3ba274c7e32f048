-- Gateways ask every two seconds which organizations are suspended: few of many.
create index organizations_suspended on organizations (environment_id, organization_id) where suspended_at is not null;
