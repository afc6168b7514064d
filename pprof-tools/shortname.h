/*
 * shortname.h - C++ and Rust names as they fit into a box.
 *
 *   std::__cxx11::basic_string<char, std::char_traits<char>, ...>::append
 *     --> std::string::append
 *   std::vector<Session, std::allocator<Session> >::push_back
 *     --> std::vector<>::push_back
 *   core::ptr::drop_in_place<alloc::vec::Vec<u8>> --> ...::drop_in_place<>
 *
 * For pictures only: the full name stands in the tooltip, and tables and
 * filters use it.
 */
#ifndef STRATA_SHORTNAME_H
#define STRATA_SHORTNAME_H

/* The caller frees the result, which is never longer than name. */
char *short_name(const char *name);

#endif
