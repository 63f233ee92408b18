CREATE TABLE pgmq.meta (
  queue_name varchar PRIMARY KEY, is_partitioned boolean NOT NULL, is_unlogged boolean NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
GRANT ALL ON pgmq.meta TO @extowner@;
SELECT pg_extension_config_dump('pgmq.meta', '');
-- As in the real one of this version, a queue's tables become members of the extension, which pg_dump therefore leaves out.
CREATE FUNCTION pgmq.make_queue(queue_name text, unlogged boolean, owner name) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  EXECUTE format(
    'CREATE %s TABLE pgmq.%I (msg_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, read_ct int NOT NULL DEFAULT 0, '
    'enqueued_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, message jsonb)',
    CASE WHEN unlogged THEN 'UNLOGGED' ELSE '' END, 'q_' || queue_name);
  EXECUTE format(
    'CREATE TABLE pgmq.%I (msg_id bigint PRIMARY KEY, read_ct int NOT NULL DEFAULT 0, enqueued_at timestamptz NOT NULL DEFAULT now(), '
    'archived_at timestamptz NOT NULL DEFAULT now(), vt timestamptz NOT NULL, message jsonb)', 'a_' || queue_name);
  EXECUTE format('ALTER EXTENSION pgmq ADD TABLE pgmq.%I', 'q_' || queue_name);
  EXECUTE format('ALTER EXTENSION pgmq ADD TABLE pgmq.%I', 'a_' || queue_name);
  EXECUTE format('ALTER TABLE pgmq.%I OWNER TO %I', 'q_' || queue_name, owner);
  EXECUTE format('ALTER TABLE pgmq.%I OWNER TO %I', 'a_' || queue_name, owner);
  INSERT INTO pgmq.meta (queue_name, is_partitioned, is_unlogged) VALUES (queue_name, false, unlogged);
END $$;
CREATE FUNCTION pgmq.create(queue_name text) RETURNS void LANGUAGE sql AS $$ SELECT pgmq.make_queue($1, false, current_user) $$;
CREATE FUNCTION pgmq.create_unlogged(queue_name text) RETURNS void LANGUAGE sql AS $$ SELECT pgmq.make_queue($1, true, current_user) $$;
CREATE FUNCTION pgmq.send(queue_name text, message jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE id bigint;
BEGIN
  EXECUTE format('INSERT INTO pgmq.%I (vt, message) VALUES (now(), $1) RETURNING msg_id', 'q_' || queue_name) USING message INTO id;
  RETURN id;
END $$;
