"""Tables, migrations, queries by noun, files under ELFOWL_HOME."""
