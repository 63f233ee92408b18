-- Realtime as supabase/realtime makes it at commit 833cf36 (2026-08-21), as far as people's objects meet it. Files are those of its
-- lib/realtime/tenants/repo/migrations/ (*.ex). Its functions are in words of our own, and few.

CREATE SCHEMA realtime AUTHORIZATION supabase_admin;
-- 20231204144023_set_required_grants, 20240401105812_create_realtime_admin_and_move_ownership
GRANT USAGE ON SCHEMA realtime TO postgres, anon, authenticated, service_role;
GRANT ALL ON SCHEMA realtime TO supabase_realtime_admin;
CREATE TABLE realtime.schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0));
INSERT INTO realtime.schema_migrations VALUES (20211116024918, '2024-01-01'), (20260709120000, '2026-07-10');

-- 20211116024918_create_realtime_subscription_table, 20211210212804_enable_generic_subscription_claims,
-- 20251120212548_add_action_to_subscriptions, 20260527120000_add_select_columns_to_subscriptions
CREATE TYPE realtime.equality_op AS ENUM ('eq', 'neq', 'lt', 'lte', 'gt', 'gte', 'in');
CREATE TYPE realtime.user_defined_filter AS (column_name text, op realtime.equality_op, value text);
CREATE TABLE realtime.subscription (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_subscription PRIMARY KEY, subscription_id uuid NOT NULL,
  entity regclass NOT NULL, filters realtime.user_defined_filter[] NOT NULL DEFAULT '{}', claims jsonb NOT NULL,
  created_at timestamp NOT NULL DEFAULT timezone('utc', now()), action_filter text DEFAULT '*', selected_columns text[]
);
CREATE INDEX ix_realtime_subscription_entity ON realtime.subscription (entity);

-- 20241030150047_messages_partitioning, 20241108114728_messages_using_uuid, 20250905041441_create_messages_replay_index,
-- 20260514120000_add_binary_payload_to_messages
CREATE TABLE realtime.messages (
  topic text NOT NULL, extension text NOT NULL, payload jsonb, event text, private boolean DEFAULT false,
  updated_at timestamp NOT NULL DEFAULT now(), inserted_at timestamp NOT NULL DEFAULT now(),
  id uuid NOT NULL DEFAULT gen_random_uuid(), binary_payload bytea, PRIMARY KEY (id, inserted_at)
) PARTITION BY RANGE (inserted_at);
ALTER TABLE realtime.messages
  ADD CONSTRAINT messages_payload_exclusive CHECK (payload IS NULL OR binary_payload IS NULL) NOT VALID;
CREATE INDEX messages_inserted_at_topic_index ON realtime.messages (inserted_at DESC, topic)
  WHERE extension = 'broadcast' AND private IS TRUE;
-- One for each of the days around today, which lib/realtime/tenants/janitor/maintenance_task.ex makes and drops.
CREATE TABLE realtime.messages_2026_01_01 PARTITION OF realtime.messages FOR VALUES FROM ('2026-01-01') TO ('2026-01-02');
CREATE TABLE realtime.messages_2026_01_02 PARTITION OF realtime.messages FOR VALUES FROM ('2026-01-02') TO ('2026-01-03');
INSERT INTO realtime.messages (id, topic, extension, payload, inserted_at, updated_at)
VALUES (md5('message')::uuid, 'room:1', 'broadcast', '{}', '2026-01-01 12:00', '2026-01-01 12:00');
ALTER TABLE realtime.messages ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON realtime.messages TO postgres, anon, authenticated, service_role;

-- 20231204144024_create_rls_helper_functions, 20250128220012_realtime_send_sets_topic_config
CREATE FUNCTION realtime.topic() RETURNS text LANGUAGE sql STABLE
  AS $$ SELECT nullif(current_setting('realtime.topic', true), '') $$;
CREATE FUNCTION realtime.send(payload jsonb, event text, topic text, private boolean DEFAULT true) RETURNS void LANGUAGE sql
  AS $$ INSERT INTO realtime.messages (payload, event, topic, private, extension) VALUES ($1, $2, $3, $4, 'broadcast') $$;

-- 20260707120000_restrict_realtime_schema
ALTER TABLE realtime.messages OWNER TO supabase_realtime_admin;
ALTER TABLE realtime.subscription OWNER TO supabase_realtime_admin;
ALTER TYPE realtime.equality_op OWNER TO supabase_realtime_admin;
ALTER TYPE realtime.user_defined_filter OWNER TO supabase_realtime_admin;
ALTER FUNCTION realtime.topic() OWNER TO supabase_realtime_admin;
ALTER FUNCTION realtime.send(jsonb, text, text, boolean) OWNER TO supabase_realtime_admin;
GRANT USAGE ON SCHEMA realtime TO postgres WITH GRANT OPTION;
