"""How a study's runs become the jobs of a cluster: the profile, what each job asks for, and the jobs that are left."""
