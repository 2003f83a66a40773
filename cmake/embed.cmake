# SPDX-License-Identifier: Apache-2.0
# Writes FILE, C++ source with the text of each of FILES (in FOLDER) as a constant: page.css becomes gemel::page_css.
#   cmake -DFOLDER=... -DFILES="page.css page.js" -DFILE=... -P embed.cmake
separate_arguments(FILES)
set(text "// Written by cmake/embed.cmake.\nnamespace gemel {\n")
foreach(name ${FILES})
  file(READ ${FOLDER}/${name} content)
  string(REPLACE "." "_" constant ${name})
  string(APPEND text "extern const char ${constant}[];\nconst char ${constant}[] = R\"embedded(${content})embedded\";\n")
endforeach()
file(WRITE ${FILE} "${text}}  // namespace gemel\n")
