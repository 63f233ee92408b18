-- What a hosted server's supautils lets postgres do, and a plain server only a superuser.

CREATE FUNCTION public.note_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE EVENT TRIGGER note_ddl ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION public.note_ddl();
-- Years ago the dashboard worked as supabase_admin, and left tables of that role.
CREATE TABLE public.from_the_dashboard (id int PRIMARY KEY);
INSERT INTO public.from_the_dashboard VALUES (1), (2);
