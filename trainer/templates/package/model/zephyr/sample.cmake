cmake_minimum_required(VERSION 3.20.0)
# In a west workspace whose manifest lists both modules, this line is not needed.
list(APPEND EXTRA_ZEPHYR_MODULES ${CMAKE_CURRENT_SOURCE_DIR}/../../../surprisal ${CMAKE_CURRENT_SOURCE_DIR}/../..)
find_package(Zephyr REQUIRED HINTS $ENV{ZEPHYR_BASE})
project(@NAME@_score LANGUAGES C)
target_sources(app PRIVATE src/main.c)
