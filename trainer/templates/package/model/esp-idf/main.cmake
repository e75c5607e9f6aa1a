# The component `main` depends on all others.
idf_component_register(SRCS "main.c")
