cmake_minimum_required(VERSION 3.16)
# In a project that has both folders in `components`, this line is not needed.
set(EXTRA_COMPONENT_DIRS ${CMAKE_CURRENT_LIST_DIR}/../.. ${CMAKE_CURRENT_LIST_DIR}/../../../surprisal)
include($ENV{IDF_PATH}/tools/cmake/project.cmake)
project(@NAME@_score)
